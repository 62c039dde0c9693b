//! Owns reading the tables of a finished track back (ISO/IEC 14496-12 sections 8.6 and 8.7) and
//! whether they agree with one another. Does not look at the media.

use std::ops::Range;

use crate::error::Flaw;

use super::boxes::{self, Fields, kind};

/// What the tables of a track come to.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) samples: u64,
    /// The sum of all durations, in ticks.
    pub(crate) duration: u64,
    pub(crate) syncs: u64,
    /// Where each chunk's bytes stand, from the start of the file.
    pub(crate) chunks: Vec<Range<u64>>,
}

/// Reads an `stbl` body whose track has so many descriptions.
pub(crate) fn read(stbl: &[u8], descriptions: usize) -> Result<Tables, Flaw> {
    let sizes = sizes(stbl).ok_or(Flaw::MissingBox(kind::STSZ))?;
    let samples = sizes.len() as u64;
    let (covered, duration) = durations(stbl).ok_or(Flaw::MissingBox(kind::STTS))?;
    if covered != samples {
        return Err(Flaw::Table(kind::STTS));
    }
    if let Some(ctts) = boxes::child(stbl, kind::CTTS) {
        let runs = pairs(ctts).ok_or(Flaw::MissingBox(kind::CTTS))?;
        if runs.map(|(count, _)| u64::from(count)).sum::<u64>() != samples {
            return Err(Flaw::Table(kind::CTTS));
        }
    }
    let syncs = match boxes::child(stbl, kind::STSS) {
        Some(stss) => listed_syncs(stss, samples)?,
        None => 0,
    };
    let chunks = chunks(stbl, &sizes, descriptions)?;
    Ok(Tables { samples, duration, syncs, chunks })
}

fn sizes(stbl: &[u8]) -> Option<Vec<u32>> {
    let (_, _, mut fields) = Fields::of_full_box(boxes::child(stbl, kind::STSZ)?)?;
    let one_for_all = fields.u32()?;
    let count = fields.u32()? as usize;
    let (sizes, rest) = fields.rest().as_chunks::<4>();
    let fits = one_for_all == 0 && sizes.len() == count && rest.is_empty();
    fits.then(|| sizes.iter().map(|size| u32::from_be_bytes(*size)).collect())
}

/// How many samples have a duration, and the sum of all.
fn durations(stbl: &[u8]) -> Option<(u64, u64)> {
    let runs = pairs(boxes::child(stbl, kind::STTS)?)?;
    runs.map(|(count, delta)| (u64::from(count), u64::from(delta))).try_fold(
        (0_u64, 0_u64),
        |(samples, ticks), (count, delta)| {
            let ticks = ticks.checked_add(count.checked_mul(delta)?)?;
            Some((samples.checked_add(count)?, ticks))
        },
    )
}

fn listed_syncs(stss: &[u8], samples: u64) -> Result<u64, Flaw> {
    let numbers: Vec<_> = entries::<4>(stss)
        .ok_or(Flaw::MissingBox(kind::STSS))?
        .iter()
        .map(|number| u64::from(u32::from_be_bytes(*number)))
        .collect();
    let ascend = numbers.is_sorted_by(|one, next| one < next);
    let are_samples = numbers.iter().all(|number| (1..=samples).contains(number));
    if ascend && are_samples { Ok(numbers.len() as u64) } else { Err(Flaw::Table(kind::STSS)) }
}

fn chunks(stbl: &[u8], sizes: &[u32], descriptions: usize) -> Result<Vec<Range<u64>>, Flaw> {
    let offsets = offsets(stbl).ok_or(Flaw::MissingBox(kind::STCO))?;
    let stsc = boxes::child(stbl, kind::STSC).and_then(entries::<12>);
    let stsc = stsc.ok_or(Flaw::MissingBox(kind::STSC))?;
    let flaw = Flaw::Table(kind::STSC);
    let mut rules = stsc.iter().filter_map(rule).peekable();
    let mut current = None;
    let mut rest = sizes;
    let mut chunks = Vec::new();
    for (offset, number) in offsets.into_iter().zip(1_u32..) {
        if let Some(rule) = rules.next_if(|rule| rule.first_chunk == number) {
            current = Some(rule);
        }
        let Some(Rule { samples, description, .. }) = current else {
            return Err(flaw);
        };
        let is_described = (1..=descriptions).contains(&description);
        let Some((these, after)) = rest.split_at_checked(samples).filter(|_| is_described) else {
            return Err(flaw);
        };
        rest = after;
        let bytes: u64 = these.iter().map(|size| u64::from(*size)).sum();
        chunks.push(offset..offset.checked_add(bytes).ok_or(Flaw::Table(kind::STCO))?);
    }
    // A rule for a chunk that does not come would be left over.
    if rest.is_empty() && rules.next().is_none() { Ok(chunks) } else { Err(flaw) }
}

/// From this chunk on, each has so many samples, described so.
#[derive(Debug, Clone, Copy)]
struct Rule {
    first_chunk: u32,
    samples: usize,
    description: usize,
}

fn rule(entry: &[u8; 12]) -> Option<Rule> {
    let mut fields = Fields::new(entry);
    Some(Rule {
        first_chunk: fields.u32()?,
        samples: fields.u32()? as usize,
        description: fields.u32()? as usize,
    })
}

fn offsets(stbl: &[u8]) -> Option<Vec<u64>> {
    if let Some(stco) = boxes::child(stbl, kind::STCO) {
        let offsets = entries::<4>(stco)?;
        return Some(offsets.iter().map(|at| u64::from(u32::from_be_bytes(*at))).collect());
    }
    let offsets = entries::<8>(boxes::child(stbl, kind::CO64)?)?;
    Some(offsets.iter().map(|at| u64::from_be_bytes(*at)).collect())
}

fn pairs(table: &[u8]) -> Option<impl Iterator<Item = (u32, u32)>> {
    let entries = entries::<8>(table)?;
    Some(entries.iter().map(|entry| {
        let [a, b, c, d, e, f, g, h] = *entry;
        (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
    }))
}

/// The entries of a table, if they are as many as it says and nothing else.
fn entries<const BYTES: usize>(table: &[u8]) -> Option<&[[u8; BYTES]]> {
    let (_, _, mut fields) = Fields::of_full_box(table)?;
    let count = fields.u32()? as usize;
    let (entries, rest) = fields.rest().as_chunks::<BYTES>();
    (entries.len() == count && rest.is_empty()).then_some(entries)
}
