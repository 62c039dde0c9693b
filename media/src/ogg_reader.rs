//! Owns reading the Ogg that some recorders write (RFC 3533, with Opus as in RFC 7845), which comes in
//! pieces and may be damaged. Hands its packets over as the blocks that they become.

use std::collections::VecDeque;

use crate::block::{Block, BlockBody, BlockCopy};
use crate::error::{Container, MediaError, Refusal};
use crate::frame::{Frame, Grammar, Measure, Missing, Search, Step, Taken};
use crate::opus;
use crate::report::DamageCause;
use crate::segment::{Muxer, Reader, Segment};
use crate::tracks::TrackEntry;
use crate::units::{SourceTime, TrackNumber};

const MAGIC: &[u8; 4] = b"OggS";
/// Before the sizes of its parts.
const PAGE_HEAD_BYTES: usize = 27;
const OUR_TRACK: TrackNumber = TrackNumber(1);
const OTHER_TRACK: TrackNumber = TrackNumber(2);
/// Ogg counts Opus in samples of this rate (RFC 7845 section 4).
const RATE_HZ: i128 = 48_000;
/// No packet of Opus is longer (RFC 6716 section 3.2.5).
const PACKET_BYTES_MAX: usize = 61_440;
/// A page that stands so far from where the packets before it end does not follow them.
const GAP_SAMPLES: i64 = 48_000 / 100;

/// Reads pages, and takes the packets of the one stream of Opus out of them.
#[derive(Debug)]
pub(crate) struct OggReader {
    frame: Frame<Pages>,
    stream: Stream,
}

impl OggReader {
    pub(crate) fn new() -> Self {
        Self { frame: Frame::new(Pages), stream: Stream::default() }
    }
}

impl Reader for OggReader {
    type Kept = BlockCopy;
    type Grammar = Pages;

    fn frame(&self) -> &Frame<Pages> {
        &self.frame
    }

    fn frame_mut(&mut self) -> &mut Frame<Pages> {
        &mut self.frame
    }

    fn drain_into(
        &mut self,
        file: &mut impl Muxer<BlockCopy>,
        segment: &mut Segment<BlockCopy>,
    ) -> Result<(), MediaError> {
        let Self { frame, stream } = self;
        while let Some(step) = frame.step()? {
            segment.reach(frame.told());
            match step {
                Step::Damage(damage) => {
                    stream.lose_place();
                    segment.add_damage(damage);
                }
                Step::Found(Page, range) => stream.take_page(frame.bytes_at(range)),
            }
            while let Some(told) = stream.told.pop_front() {
                match told {
                    Told::Head(track) => {
                        segment.header("webm".to_owned());
                        segment.tracks(file, vec![*track])?;
                    }
                    Told::NoOpus => {
                        segment.refuse(Refusal::UnsupportedContainer { container: Container::Ogg });
                    }
                    Told::Packet { track, at, payload } => {
                        let body = BlockBody::of_sound(track, &payload);
                        let time = i128::from(at) * 1_000_000_000 / RATE_HZ;
                        let time = SourceTime::from_nanos(time);
                        segment.packet(file, Block { time, duration: None, body })?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
enum Told {
    Head(Box<TrackEntry>),
    NoOpus,
    Packet { track: TrackNumber, at: i64, payload: Vec<u8> },
}

/// The stream of Opus in the pages.
#[derive(Debug, Default)]
struct Stream {
    serial: Option<u32>,
    /// Of its headers, how many are still to come.
    headers: u8,
    /// The beginning of a packet that goes on in the next page.
    begun: Vec<u8>,
    /// Where the last packet ends, in samples.
    end: Option<i64>,
    told: VecDeque<Told>,
}

impl Stream {
    /// What comes next need not follow what came before.
    fn lose_place(&mut self) {
        self.begun.clear();
        self.end = None;
    }

    fn take_page(&mut self, page: &[u8]) {
        const BEGINS_STREAM: u8 = 0x02;
        const GOES_ON: u8 = 0x01;
        let Some(head) = PageHead::parse(page) else {
            return;
        };
        let body = &page[head.bytes..];
        if head.flags & BEGINS_STREAM != 0 && !self.begin(&head, body) {
            return;
        }
        if self.serial != Some(head.serial) {
            let payload = body.to_vec();
            self.told.push_back(Told::Packet { track: OTHER_TRACK, at: 0, payload });
            return;
        }
        if head.flags & GOES_ON == 0 {
            self.begun.clear();
        }
        let mut packets = Vec::new();
        let mut rest = body;
        for size in head.sizes {
            let (part, after) = rest.split_at(usize::from(*size).min(rest.len()));
            rest = after;
            if self.begun.len() <= PACKET_BYTES_MAX {
                self.begun.extend_from_slice(part);
            }
            if *size < u8::MAX {
                packets.push(std::mem::take(&mut self.begun));
            }
        }
        self.place(packets, head.granule);
    }

    /// False if the page is of no use to anybody.
    fn begin(&mut self, head: &PageHead<'_>, body: &[u8]) -> bool {
        match TrackEntry::of_opus(OUR_TRACK, body) {
            Ok(track) => {
                self.told.push_back(Told::Head(Box::new(track)));
                self.serial = Some(head.serial);
                self.headers = 2;
                self.lose_place();
                true
            }
            Err(_) => {
                if self.serial.is_none() {
                    self.told.push_back(Told::NoOpus);
                }
                false
            }
        }
    }

    /// Packets that end in a page, the last of them at `granule`.
    fn place(&mut self, mut packets: Vec<Vec<u8>>, granule: i64) {
        let headers = usize::from(self.headers).min(packets.len());
        self.headers -= headers as u8;
        packets.drain(..headers);
        let length = |packet: &Vec<u8>| {
            let lasts = opus::packet_duration(packet).unwrap_or_default();
            i64::try_from(lasts.as_nanos() * 48 / 1_000_000).unwrap_or(0)
        };
        let lasts: i64 = packets.iter().map(length).sum();
        let told = granule.saturating_sub(lasts).max(0);
        let mut at = match self.end {
            // The last page may say less than is in it, and no page need say anything.
            Some(end) if granule < 0 || told <= end.saturating_add(GAP_SAMPLES) => end,
            Some(_) | None => told,
        };
        for payload in packets {
            let next = at.saturating_add(length(&payload));
            self.told.push_back(Told::Packet { track: OUR_TRACK, at, payload });
            at = next;
            self.end = Some(at);
        }
    }
}

/// What stands before the packets of a page (RFC 3533 section 6).
struct PageHead<'a> {
    flags: u8,
    granule: i64,
    serial: u32,
    /// Of the parts of its packets: 255 says that the packet goes on.
    sizes: &'a [u8],
    /// Of the head.
    bytes: usize,
}

impl<'a> PageHead<'a> {
    fn parse(page: &'a [u8]) -> Option<Self> {
        let head = page.get(..PAGE_HEAD_BYTES)?;
        let sizes = page.get(PAGE_HEAD_BYTES..)?.get(..usize::from(head[26]))?;
        Some(Self {
            flags: head[5],
            granule: i64::from_le_bytes(*head.get(6..)?.first_chunk()?),
            serial: u32::from_le_bytes(*head.get(14..)?.first_chunk()?),
            sizes,
            bytes: PAGE_HEAD_BYTES + sizes.len(),
        })
    }

    fn page_bytes(&self) -> usize {
        self.bytes + self.sizes.iter().map(|size| usize::from(*size)).sum::<usize>()
    }
}

/// A page that is whole.
#[derive(Debug)]
pub(crate) struct Page;

/// Ogg is nothing but pages; each has a checksum.
#[derive(Debug)]
pub(crate) struct Pages;

impl Pages {
    /// `None`: the bytes end too early to tell.
    fn page(ahead: &[u8]) -> Option<Result<usize, DamageCause>> {
        let seen = ahead.len().min(MAGIC.len());
        if ahead[..seen] != MAGIC[..seen] {
            return Some(Err(DamageCause::NotAPage));
        }
        let bytes = PageHead::parse(ahead)?.page_bytes();
        let page = ahead.get(..bytes)?;
        Some(if has_right_checksum(page) { Ok(bytes) } else { Err(DamageCause::Checksum) })
    }
}

impl Grammar for Pages {
    type Found = Page;

    fn measure(&self, ahead: &[u8], _: u64, _: bool) -> Measure {
        match Self::page(ahead) {
            None => Measure::Short,
            Some(Ok(bytes)) => Measure::Whole(bytes),
            Some(Err(cause)) => Measure::Lost(cause),
        }
    }

    fn take(&mut self, _: &[u8], _: u64) -> Taken<Page> {
        Taken::Packet(Page)
    }

    /// Its checksum was right.
    fn is_coherent(&self, _: &[u8], _: usize, _: u64, _: bool) -> Option<bool> {
        Some(true)
    }

    fn find_entry(&self, bytes: &[u8], is_end: bool) -> Search {
        for at in 0..bytes.len() {
            match Self::page(&bytes[at..]) {
                Some(Ok(_)) => return Search::Found(at),
                Some(Err(_)) => {}
                None if is_end => {}
                None => return Search::Perhaps(at),
            }
        }
        Search::NotFound
    }

    fn find_landmark(&self, bytes: &[u8]) -> Option<usize> {
        match self.find_entry(bytes, true) {
            Search::Found(at) => Some(at),
            Search::Perhaps(_) | Search::NotFound => None,
        }
    }

    fn missing_first_byte(&self, _: &[u8], _: bool) -> Missing {
        Missing::None
    }

    fn enter(&mut self, _: &[u8]) {}
}

/// Section 6 of RFC 3533: a CRC of 32 bits over the page, its own field taken for zero.
fn has_right_checksum(page: &[u8]) -> bool {
    const FIELD: std::ops::Range<usize> = 22..26;
    let Some(told) = page.get(FIELD).and_then(|field| field.first_chunk()) else {
        return false;
    };
    let bytes = page.iter().enumerate();
    let crc = bytes.fold(0_u32, |crc, (at, byte)| {
        let byte = if FIELD.contains(&at) { 0 } else { *byte };
        crc << 8 ^ CRC_TABLE[usize::from((crc >> 24) as u8 ^ byte)]
    });
    crc == u32::from_le_bytes(*told)
}

const CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    const POLYNOMIAL: u32 = 0x04C1_1DB7;
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 1 << 31 != 0;
            crc = if carry { crc << 1 ^ POLYNOMIAL } else { crc << 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}
