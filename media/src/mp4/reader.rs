//! Owns reading the MP4 of a recorder (ISO/IEC 14496-12), which comes in pieces and may be damaged:
//! fragments (section 8.8), or an ordinary file with its index before or behind the media. Decides
//! what is media and what is damage, not what becomes of either.

use std::collections::VecDeque;
use std::ops::Range;

use crate::error::MediaError;
use crate::frame::{Frame, Step};
use crate::repeats::Digest;
use crate::report::{Damage, DamageCause};
use crate::segment::{Muxer, Reader, Segment};

use super::grammar::{Boxes, Found};
use super::moof::First;
use super::moov::Track;
use super::sample::{Sample, SampleCopy};

/// What a recorder wrote, in its order.
#[derive(Debug, Clone)]
pub(crate) enum Event<'a> {
    /// A recorder run may begin.
    Header,
    /// The tracks of the run.
    Tracks(Vec<Track>),
    /// The samples of a fragment, or of an ordinary file, follow. These are their tracks' earliest.
    Fragment {
        firsts: Vec<First>,
        /// Of what describes a fragment.
        digest: Option<Digest>,
    },
    Sample(Sample<'a>),
    /// A sample is described as standing where no media is.
    OutOfPlace,
    /// Bytes that made no sense were stepped over.
    Damage(Damage),
}

/// A push parser: give it bytes in any portions, then drain its events until there is none.
///
/// It holds the unfinished box or sample, what the last push added, and a list of the samples of
/// one fragment. It allocates for bytes that came, never for what a size or a count promises. Media
/// that comes before its index waits for it in a file.
#[derive(Debug)]
pub(crate) struct Mp4Reader {
    frame: Frame<Boxes>,
    /// Told before anything else is read.
    told: VecDeque<Found>,
    /// A sample of media that came before its index.
    sample: Vec<u8>,
    /// Where it stood, until it is told.
    waited_at: Option<Range<u64>>,
}

impl Mp4Reader {
    pub(crate) fn new() -> Self {
        Self {
            frame: Frame::new(Boxes::new()),
            told: VecDeque::new(),
            sample: Vec::new(),
            waited_at: None,
        }
    }

    /// A reader in the middle of a stream, whose tracks are known from elsewhere.
    pub(crate) fn without_header(tracks: &[Track]) -> Self {
        let mut grammar = Boxes::new();
        grammar.follow(tracks);
        Self { frame: Frame::without_beginning(grammar), ..Self::new() }
    }

    /// The next event and where in the stream it stands, or `None` if more bytes are needed.
    ///
    /// # Errors
    /// [`MediaError::Io`] of the file in which media waits for its index.
    pub(crate) fn next_event(&mut self) -> Result<Option<(Event<'_>, Range<u64>)>, MediaError> {
        let step = match self.told.pop_front() {
            Some(found) => Some(Step::Found(found, 0..0)),
            None => self.next_found()?,
        };
        let at = self.waited_at.take().unwrap_or_else(|| self.frame.told());
        let found = match step {
            Some(Step::Damage(damage)) => return Ok(Some((Event::Damage(damage), at))),
            Some(Step::Found(found, range)) => (found, range),
            None => return Ok(None),
        };
        let event = match found {
            (Found::Header, _) => Event::Header,
            (Found::Tracks { tracks, firsts }, _) => {
                let fragment = |firsts| Found::Fragment { firsts, digest: None };
                self.told.extend(firsts.map(fragment));
                Event::Tracks(tracks)
            }
            (Found::Fragment { firsts, digest }, _) => Event::Fragment { firsts, digest },
            (Found::OutOfPlace, _) => Event::OutOfPlace,
            (Found::Waited(info), _) => Event::Sample(Sample { info, payload: &self.sample }),
            (Found::Sample(info), range) => {
                Event::Sample(Sample { info, payload: self.frame.bytes_at(range) })
            }
        };
        Ok(Some((event, at)))
    }

    fn next_found(&mut self) -> Result<Option<Step<Found>>, MediaError> {
        if let Some(found) = self.next_that_waited()? {
            return Ok(Some(Step::Found(found, 0..0)));
        }
        let step = self.frame.step()?;
        match step {
            None if self.frame.is_over() => Ok(self.give_up_waiting()),
            step => Ok(step),
        }
    }

    /// A sample of media that came before its index.
    fn next_that_waited(&mut self) -> Result<Option<Found>, MediaError> {
        let Self { frame, sample, waited_at, .. } = self;
        let Boxes { ahead, index, file_begins, .. } = &mut frame.grammar;
        let (Some(ahead), Some(index)) = (ahead, index) else {
            return Ok(None);
        };
        let Some(extent) = index.next() else {
            self.frame.grammar.ahead = None;
            return Ok(None);
        };
        let start = extent.start.saturating_add(*file_begins);
        *waited_at = Some(start..start.saturating_add(u64::from(extent.bytes)));
        if !ahead.read(&extent, sample)? {
            return Ok(Some(Found::OutOfPlace));
        }
        let account = frame.account_mut();
        // Samples may share bytes; none is counted twice.
        let bytes = u64::from(extent.bytes).min(account.structure);
        account.structure -= bytes;
        account.packets += bytes;
        Ok(Some(Found::Waited(extent.info)))
    }

    /// The index never came.
    fn give_up_waiting(&mut self) -> Option<Step<Found>> {
        let ahead = self.frame.grammar.ahead.take()?;
        let bytes = ahead.bytes();
        let account = self.frame.account_mut();
        account.structure -= bytes;
        account.stepped_over += bytes;
        let at_byte = ahead.begins();
        Some(Step::Damage(Damage { at_byte, bytes, cause: DamageCause::NoIndex }))
    }

    #[cfg(test)]
    fn held_bytes(&self) -> usize {
        self.frame.held_bytes()
    }
}

impl Reader for Mp4Reader {
    type Kept = SampleCopy;
    type Grammar = Boxes;

    fn frame(&self) -> &Frame<Boxes> {
        &self.frame
    }

    fn frame_mut(&mut self) -> &mut Frame<Boxes> {
        &mut self.frame
    }

    fn drain_into(
        &mut self,
        file: &mut impl Muxer<SampleCopy>,
        segment: &mut Segment<SampleCopy>,
    ) -> Result<(), MediaError> {
        while let Some((event, at)) = self.next_event()? {
            segment.reach(at);
            match event {
                Event::Header => segment.header("mp4".to_owned()),
                Event::Tracks(tracks) => segment.tracks(file, tracks)?,
                Event::Fragment { firsts, digest } => {
                    file.begin_cluster();
                    digest.into_iter().for_each(|digest| segment.fragment(digest));
                    for First { track, shown, .. } in firsts {
                        segment.announce(track, shown);
                    }
                }
                Event::Sample(sample) => segment.packet(file, sample)?,
                Event::OutOfPlace => segment.out_of_place(),
                Event::Damage(damage) => segment.add_damage(damage),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    const HEAD: &[u8] = include_bytes!("../../tests/fixtures/g_audiomp4.000.chunk");

    /// What the reader holds at most while it is fed.
    fn most_held_bytes<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> usize {
        let mut reader = Mp4Reader::new();
        let mut most = 0;
        for piece in pieces {
            reader.frame.push(piece);
            most = most.max(reader.held_bytes());
            while reader.next_event().unwrap().is_some() {}
        }
        most
    }

    #[test]
    fn a_promised_size_is_never_allocated() {
        for promise in [&b"\0\x0F\0\0moof"[..], b"\0\x0F\0\0moov", b"\0\x0F\0\0free"] {
            let most = most_held_bytes([HEAD, promise].into_iter());
            assert!(most < 4096, "{most} bytes for {promise:?}");
        }
    }

    #[test]
    fn memory_stays_bounded_however_much_comes_and_is_promised() {
        let promise = b"\0\x0F\0\0moof\0\0\0\x10mfhd";
        for noise in [&promise[..], b"\0\0\0\0moof\0\0\0\x10mfhd", &[0; 16], b"noise and noise!"] {
            let piece = noise.repeat(limits::PUSH_PIECE_BYTES / noise.len());
            let pieces = std::iter::repeat_n(&piece[..], 400);
            let most = most_held_bytes(std::iter::once(HEAD).chain(pieces));
            let limit = 2 * (limits::MOOF_BYTES_MAX + 2 * limits::PUSH_PIECE_BYTES);
            assert!(most <= limit, "{most} bytes of {noise:?}");
        }
    }

    #[test]
    fn media_is_not_held_longer_than_a_sample() {
        let chunk = include_bytes!("../../tests/fixtures/g_videomp4.001.chunk");
        let head = include_bytes!("../../tests/fixtures/g_videomp4.000.chunk");
        let largest = 0x2700;
        let most = most_held_bytes(head.chunks(100).chain(chunk.chunks(100)));
        assert!(most <= 2 * (largest + 200), "{most} bytes");
    }
}
