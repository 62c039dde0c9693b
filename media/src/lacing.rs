//! Owns lacing: several frames in one block (RFC 9559 section 10.3). Only reads it; laced blocks
//! are written as they came.

use crate::ebml;

const LACING_BITS: u8 = 0b0000_0110;

/// How a block's payload is divided into frames, from its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lacing {
    None,
    Xiph,
    FixedSize,
    Ebml,
}

impl Lacing {
    pub(crate) fn from_flags(flags: u8) -> Self {
        match flags & LACING_BITS {
            0b000 => Self::None,
            0b010 => Self::Xiph,
            0b100 => Self::FixedSize,
            _ => Self::Ebml,
        }
    }

    /// The frames of a payload, or `None` if its sizes don't add up.
    pub(crate) fn frames(self, payload: &[u8]) -> Option<Vec<&[u8]>> {
        if self == Self::None {
            return Some(vec![payload]);
        }
        let (count, rest) = payload.split_first()?;
        let all_but_last = usize::from(*count);
        let (sizes, frames) = match self {
            Self::None => (Vec::new(), rest),
            Self::Xiph => xiph_sizes(all_but_last, rest)?,
            Self::FixedSize => fixed_sizes(all_but_last, rest)?,
            Self::Ebml => ebml_sizes(all_but_last, rest)?,
        };
        split(&sizes, frames)
    }
}

/// The last frame takes what is left, so its size isn't stored.
fn split<'a>(sizes: &[usize], mut rest: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    let mut frames = Vec::with_capacity(sizes.len() + 1);
    for size in sizes {
        let (frame, after) = rest.split_at_checked(*size)?;
        frames.push(frame);
        rest = after;
    }
    frames.push(rest);
    Some(frames)
}

fn fixed_sizes(count: usize, frames: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    let each = frames.len() / (count + 1);
    (each * (count + 1) == frames.len()).then(|| (vec![each; count], frames))
}

fn xiph_sizes(count: usize, mut rest: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    let mut sizes = Vec::with_capacity(count);
    for _ in 0..count {
        let full = rest.iter().take_while(|byte| **byte == 255).count();
        let last = *rest.get(full)?;
        sizes.push(full * 255 + usize::from(last));
        rest = &rest[full + 1..];
    }
    Some((sizes, rest))
}

/// The first size is plain, each later one a signed difference from the one before.
fn ebml_sizes(count: usize, mut rest: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    let mut sizes = Vec::with_capacity(count);
    let mut size = 0i64;
    for index in 0..count {
        let (value, len) = ebml::read_vint(rest)?;
        let value = i64::try_from(value).ok()?;
        let bias = if index == 0 { 0 } else { (1i64 << (7 * len - 1)) - 1 };
        size = size.checked_add(value - bias)?;
        sizes.push(usize::try_from(size).ok()?);
        rest = &rest[len..];
    }
    Some((sizes, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(flags: u8, payload: &[u8]) -> Option<Vec<usize>> {
        let frames = Lacing::from_flags(flags).frames(payload)?;
        Some(frames.into_iter().map(<[u8]>::len).collect())
    }

    #[test]
    fn every_lacing_is_divided_as_the_specification_shows() {
        // The frames of RFC 9559 section 10.3: 800, 500 and 1000 bytes.
        let frames = vec![7u8; 2300];
        let xiph = [&[2, 255, 255, 255, 35, 255, 245][..], &frames].concat();
        assert_eq!(lengths(0b010, &xiph), Some(vec![800, 500, 1000]));

        let ebml = [&[2, 0x43, 0x20, 0x5E, 0xD3][..], &frames].concat();
        assert_eq!(lengths(0b110, &ebml), Some(vec![800, 500, 1000]));

        let fixed = [&[2][..], &[7; 2400]].concat();
        assert_eq!(lengths(0b100, &fixed), Some(vec![800, 800, 800]));
        assert_eq!(lengths(0, &frames), Some(vec![2300]));
    }

    #[test]
    fn sizes_that_do_not_add_up_are_none() {
        for flags in [0b010, 0b100, 0b110] {
            assert_eq!(lengths(flags, &[]), None);
        }
        assert_eq!(lengths(0b010, &[1, 255]), None);
        assert_eq!(lengths(0b010, &[1, 9, 0]), None);
        assert_eq!(lengths(0b100, &[1, 0, 0, 0]), None);
        assert_eq!(lengths(0b110, &[2, 0x81, 0x80, 0]), None, "a negative size");
    }
}
