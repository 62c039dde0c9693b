//! What a second reader, `mp4-atom`, makes of MP4, fragmented or finished; and MP4 made by hand.

use mp4_atom::{Decode, Moof, Moov, StszSamples, Trak};

pub(crate) const AUDIO: &str = "g_audiomp4";
pub(crate) const VIDEO: &str = "g_videomp4";

/// A sample by the second reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// `soun` or `vide`.
    pub(crate) handler: [u8; 4],
    /// When it is decoded, in ticks of its track.
    pub(crate) at: u64,
    pub(crate) is_sync: bool,
    pub(crate) payload: Vec<u8>,
}

/// Name, first byte, bytes of the header and first byte behind, of each box at the top.
pub(crate) fn top_boxes(bytes: &[u8]) -> Vec<([u8; 4], usize, usize, usize)> {
    let mut boxes = Vec::new();
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + 8) {
        let (size, name) = head.split_at(4);
        let mut size = u32::from_be_bytes(size.try_into().expect("four bytes")) as usize;
        let mut header = 8;
        if size == 1 {
            let Some(long) = bytes.get(at + 8..at + 16) else { break };
            size = u64::from_be_bytes(long.try_into().expect("eight bytes")) as usize;
            header = 16;
        }
        boxes.push((name.try_into().expect("four bytes"), at, header, at + size));
        at += size;
    }
    boxes
}

fn moov_of(bytes: &[u8]) -> Option<Moov> {
    let (_, at, _, end) = top_boxes(bytes).into_iter().find(|one| &one.0 == b"moov")?;
    Some(Moov::decode(&mut bytes.get(at..end)?).expect("a readable moov"))
}

fn handler(trak: &Trak) -> [u8; 4] {
    trak.mdia.hdlr.handler.into()
}

/// The samples of a recorder's stream that are there whole, in the order of their bytes.
pub(crate) fn source_samples(bytes: &[u8]) -> Vec<Sample> {
    let mut samples = Vec::new();
    let Some(moov) = moov_of(bytes) else {
        return samples;
    };
    let mut runs = 0;
    for (name, at, _, end) in top_boxes(bytes) {
        runs += usize::from(&name == b"ftyp");
        let (Some(mut whole), b"moof") = (bytes.get(at..end), &name) else { continue };
        assert_eq!(runs, 1, "a stream of one run");
        for traf in Moof::decode(&mut whole).expect("a readable moof").traf {
            let trak = moov.trak.iter().find(|trak| trak.tkhd.track_id == traf.tfhd.track_id);
            let handler = handler(trak.expect("a declared track"));
            let mut decode_at = traf.tfdt.expect("a tfdt").base_media_decode_time;
            for run in &traf.trun {
                let mut from = at + run.data_offset.expect("an offset") as usize;
                for entry in run.samples.iter() {
                    let size = entry.size.or(traf.tfhd.default_sample_size);
                    let size = size.expect("a size") as usize;
                    let flags = entry.flags.or(traf.tfhd.default_sample_flags);
                    let is_sync = flags.unwrap_or(0) & 0x1_0000 == 0;
                    if let Some(payload) = bytes.get(from..from + size) {
                        let payload = payload.to_vec();
                        samples.push(Sample { handler, at: decode_at, is_sync, payload });
                    }
                    let duration = entry.duration.or(traf.tfhd.default_sample_duration);
                    decode_at += u64::from(duration.expect("a duration"));
                    from += size;
                }
            }
        }
    }
    samples
}

/// The samples of a finished file by its tables, in the order of their bytes. Tracks that begin
/// late do so here too.
pub(crate) fn file_samples(file: &[u8]) -> Vec<Sample> {
    let moov = moov_of(file).expect("a finished file");
    let mut placed = Vec::new();
    for trak in &moov.trak {
        let stbl = &trak.mdia.minf.stbl;
        let StszSamples::Different { sizes } = &stbl.stsz.samples else { panic!("own sizes") };
        let steps = stbl.stts.entries.iter();
        let mut steps = steps.flat_map(|run| {
            std::iter::repeat_n(u64::from(run.sample_delta), run.sample_count as usize)
        });
        let short = stbl.stco.iter().flat_map(|stco| stco.entries.iter().map(|at| u64::from(*at)));
        let long = stbl.co64.iter().flat_map(|co64| co64.entries.iter().copied());
        let offsets: Vec<_> = short.chain(long).collect();
        let mut at = late_by(&moov, trak);
        let mut sample = 0;
        for (chunk, offset) in (1..).zip(offsets) {
            let rules = stbl.stsc.entries.iter().rev();
            let rule = rules.into_iter().find(|rule| rule.first_chunk <= chunk);
            let mut from = offset as usize;
            for _ in 0..rule.expect("a rule").samples_per_chunk {
                let size = sizes[sample] as usize;
                sample += 1;
                let number = sample as u32;
                let is_sync = stbl.stss.as_ref().is_none_or(|stss| stss.entries.contains(&number));
                let payload = file[from..from + size].to_vec();
                placed.push((from, Sample { handler: handler(trak), at, is_sync, payload }));
                at += steps.next().expect("a duration for every sample");
                from += size;
            }
        }
        assert_eq!(sample, sizes.len(), "every sample is in a chunk");
        assert_eq!(steps.next(), None);
    }
    placed.sort_by_key(|(from, _)| *from);
    placed.into_iter().map(|(_, sample)| sample).collect()
}

/// What the edit list holds a track back by, in its own ticks.
fn late_by(moov: &Moov, trak: &Trak) -> u64 {
    let Some(elst) = trak.edts.as_ref().and_then(|edts| edts.elst.as_ref()) else {
        return 0;
    };
    let movie = elst.entries[0].segment_duration;
    movie * u64::from(trak.mdia.mdhd.timescale) / u64::from(moov.mvhd.timescale)
}

pub(crate) fn payloads(samples: &[Sample]) -> Vec<Vec<u8>> {
    samples.iter().map(|sample| sample.payload.clone()).collect()
}

/// The samples of one handler.
pub(crate) fn only(samples: &[Sample], handler: [u8; 4]) -> Vec<Sample> {
    samples.iter().filter(|sample| sample.handler == handler).cloned().collect()
}

fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).expect("a small box").to_be_bytes();
    [&size, &name[..], body].concat()
}

/// A fragmented MP4 of a test: the head of a real one, then fragments made by hand.
#[derive(Clone)]
pub(crate) struct Handmade {
    pub(crate) bytes: Vec<u8>,
}

impl Handmade {
    /// The head of a one-track Opus recording, 48000 ticks a second.
    pub(crate) fn opus() -> Self {
        Self { bytes: super::chunks(AUDIO)[0].clone() }
    }

    pub(crate) fn nothing() -> Self {
        Self { bytes: Vec::new() }
    }

    /// A fragment of track 1: its time, then its samples with the durations they claim.
    pub(crate) fn fragment(self, at: u64, samples: &[(u32, &[u8])]) -> Self {
        let sizes: Vec<_> = samples.iter().map(|(lasts, one)| (*lasts, one.len() as u32)).collect();
        let media: Vec<_> = samples.iter().flat_map(|(_, payload)| payload.to_vec()).collect();
        self.moof(at, &sizes).raw(&boxed(b"mdat", &media))
    }

    /// Describes samples by the durations and sizes they claim.
    pub(crate) fn moof(self, at: u64, samples: &[(u32, u32)]) -> Self {
        let moof_bytes = 8 + 16 + 8 + 16 + 20 + 20 + 8 * samples.len() as u32;
        let tfhd = boxed(b"tfhd", &[&[0, 2, 0, 0][..], &1_u32.to_be_bytes()].concat());
        let tfdt = boxed(b"tfdt", &[&[1, 0, 0, 0][..], &at.to_be_bytes()].concat());
        let mut trun = vec![0, 0, 3, 1];
        trun.extend((samples.len() as u32).to_be_bytes());
        trun.extend((moof_bytes + 8).to_be_bytes());
        for (duration, size) in samples {
            trun.extend(duration.to_be_bytes());
            trun.extend(size.to_be_bytes());
        }
        let traf = boxed(b"traf", &[tfhd, tfdt, boxed(b"trun", &trun)].concat());
        let moof = boxed(b"moof", &[boxed(b"mfhd", &[0; 8]), traf].concat());
        assert_eq!(moof.len() as u32, moof_bytes);
        self.raw(&moof)
    }

    pub(crate) fn boxed(self, name: &[u8; 4], body: &[u8]) -> Self {
        self.raw(&boxed(name, body))
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self
    }
}
