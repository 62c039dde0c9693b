//! Owns turning sound from one rate into another, piece by piece, without anything adding up.

use super::Sound;

/// Zeros of the kernel on each side: enough that what is heard of mirrored sound is below noise.
const ZEROS: f64 = 16.0;
/// How much of what the lower rate can hold is kept; the rest is for the filter to fall off.
const PASSED: f64 = 0.94;

/// Interpolates by a windowed sinc. Sample `n` of what comes out lies where sample `n * step /
/// phases` of what goes in does.
pub(super) struct Resampler {
    phases: u64,
    step: u64,
    /// Samples on each side that one of the output is made of.
    half: usize,
    /// For each phase, what its samples weigh.
    weights: Box<[f32]>,
    /// The last samples that came, which more of the output is made of.
    history: Vec<f32>,
    /// Which sample is the first of the history, counted from `half - 1` before the first.
    begins_at: u64,
    /// Samples that came.
    received: u64,
    /// Samples that went out.
    sent: u64,
    out: Vec<i16>,
}

impl Resampler {
    /// `None` if there is nothing to do. Both are rates of sound, far from zero.
    pub(super) fn between(from_hz: u32, to_hz: u32) -> Option<Self> {
        if from_hz == to_hz || from_hz == 0 || to_hz == 0 {
            return None;
        }
        let common = greatest_divisor(from_hz, to_hz);
        let (phases, step) = (to_hz / common, from_hz / common);
        let kept = (f64::from(to_hz) / f64::from(from_hz)).min(1.0);
        let half = (ZEROS / kept).ceil() as usize;
        Some(Self {
            phases: phases.into(),
            step: step.into(),
            half,
            weights: weights(phases, half, kept * PASSED),
            history: vec![0.0; half - 1],
            begins_at: 0,
            received: 0,
            sent: 0,
            out: Vec::new(),
        })
    }

    /// What can be said now of the sound so far: all but the last few samples, which more of the
    /// input is needed for. Silence cuts off what would ring into it.
    pub(super) fn push(&mut self, sound: Sound<'_>) -> Sound<'_> {
        let silence = self.be_silent_for(sound.silence);
        self.history.extend(sound.samples.iter().map(|sample| f32::from(*sample)));
        self.received += sound.samples.len() as u64;
        self.out.clear();
        while self.is_next_known() {
            let next = self.next_sample();
            self.out.push(next);
            self.sent += 1;
        }
        self.forget();
        Sound { silence, samples: &self.out }
    }

    /// What could not be said yet, if nothing follows.
    pub(super) fn rest(&mut self) -> Sound<'_> {
        let nothing = vec![0; self.half];
        self.push(Sound { silence: 0, samples: &nothing })
    }

    /// Which sample of the input the next one of the output follows.
    fn position(&self) -> u64 {
        self.sent * self.step / self.phases
    }

    fn is_next_known(&self) -> bool {
        self.position() + (self.half as u64) < self.received
    }

    fn be_silent_for(&mut self, samples: u64) -> u64 {
        if samples == 0 {
            return 0;
        }
        self.received += samples;
        let before = self.sent;
        // The first that is not known yet.
        let known = self.received.saturating_sub(self.half as u64);
        self.sent = (known * self.phases).div_ceil(self.step).max(before);
        self.begins_at = self.position();
        let zeros = self.received + self.half as u64 - 1 - self.begins_at;
        self.history.clear();
        self.history.resize(usize::try_from(zeros).unwrap_or(0), 0.0);
        self.sent - before
    }

    fn next_sample(&self) -> i16 {
        let width = 2 * self.half;
        let phase = usize::try_from(self.sent * self.step % self.phases).unwrap_or(0);
        let first = usize::try_from(self.position() - self.begins_at).unwrap_or(0);
        let weights = &self.weights[phase * width..][..width];
        let samples = &self.history[first..][..width];
        let sum: f32 = samples.iter().zip(weights).map(|(sample, weight)| sample * weight).sum();
        sum.round() as i16
    }

    fn forget(&mut self) {
        let known = usize::try_from(self.position() - self.begins_at).unwrap_or(0);
        let known = known.min(self.history.len());
        self.history.drain(..known);
        self.begins_at += known as u64;
    }
}

/// Of all phases; each adds up to one.
fn weights(phases: u32, half: usize, passed: f64) -> Box<[f32]> {
    let mut all = Vec::with_capacity(phases as usize * 2 * half);
    for phase in 0..phases {
        let place = f64::from(phase) / f64::from(phases) + (half as f64 - 1.0);
        let weigh = |index: usize| kernel(index as f64 - place, passed, half as f64);
        let weights: Vec<f64> = (0..2 * half).map(weigh).collect();
        let sum: f64 = weights.iter().sum();
        all.extend(weights.into_iter().map(|weight| (weight / sum) as f32));
    }
    all.into()
}

/// A sinc under a Blackman window of this half width.
fn kernel(at: f64, passed: f64, half: f64) -> f64 {
    use std::f64::consts::PI;
    let along = PI * at / half;
    if along.abs() >= PI {
        return 0.0;
    }
    let window = 0.42 + 0.5 * along.cos() + 0.08 * (2.0 * along).cos();
    let angle = PI * passed * at;
    let sinc = if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle };
    sinc * window
}

fn greatest_divisor(one: u32, two: u32) -> u32 {
    if two == 0 { one } else { greatest_divisor(two, one % two) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tone(hz: f64, rate: u32, samples: usize) -> Vec<i16> {
        let sample = |at: usize| {
            let phase = at as f64 * hz / f64::from(rate) * std::f64::consts::TAU;
            (phase.sin() * 16_000.0).round() as i16
        };
        (0..samples).map(sample).collect()
    }

    fn resampled(from: u32, to: u32, sound: &[i16]) -> Vec<i16> {
        let mut resampler = Resampler::between(from, to).expect("different rates");
        let sound = Sound { silence: 0, samples: sound };
        resampler.push(sound).samples.to_vec()
    }

    #[test]
    fn a_tone_is_the_same_tone_at_the_same_place_at_the_other_rate() {
        for (from, to) in [(44_100, 48_000), (48_000, 16_000), (44_100, 16_000), (8_000, 48_000)] {
            let there = resampled(from, to, &tone(440.0, from, from as usize));
            let expected = tone(440.0, to, there.len());
            let settled = to as usize / 50;
            let pairs = there.iter().zip(&expected).skip(settled);
            let off = pairs.map(|(one, other)| one.abs_diff(*other)).max();
            assert!(off < Some(20), "{from} to {to}: {off:?}");
        }
    }

    #[test]
    fn with_its_rest_sound_is_as_long_as_before() {
        for (from, to) in [(44_100, 48_000), (48_000, 16_000), (44_100, 16_000), (8_000, 48_000)] {
            let mut resampler = Resampler::between(from, to).expect("different rates");
            let second = tone(440.0, from, from as usize);
            let most = resampler.push(Sound { silence: 0, samples: &second }).samples.len();
            let rest = resampler.rest().samples.len();
            assert!(rest > 0 && most + rest == to as usize, "{from} to {to}: {most}, {rest}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_not_mirrored_into_it() {
        let there = resampled(48_000, 16_000, &tone(10_000.0, 48_000, 48_000));
        let loudest = there[320..].iter().map(|sample| sample.unsigned_abs()).max();
        assert!(loudest < Some(16), "{loudest:?}");
    }

    #[test]
    fn a_rate_that_is_the_same_needs_nothing() {
        assert!(Resampler::between(48_000, 48_000).is_none());
    }

    #[test]
    fn hours_of_silence_are_counted_and_what_follows_is_where_it_belongs() {
        let mut resampler = Resampler::between(44_100, 16_000).expect("different rates");
        let loud = [8_000; 4_410];
        let before = resampler.push(Sound { silence: 0, samples: &loud }).samples.len() as u64;
        let after = Sound { silence: 44_100 * 7_200 - 4_410, samples: &loud };
        let after = resampler.push(after);
        let begins = after.samples.iter().position(|sample| *sample >= 4_000);
        let begins = before + after.silence + begins.expect("sound") as u64;
        assert!(begins.abs_diff(16_000 * 7_200) <= 1, "{begins}");
    }

    proptest! {
        #[test]
        fn how_sound_is_cut_into_pieces_does_not_matter(
            sound in prop::collection::vec(any::<i16>(), 0..2_000),
            cuts in prop::collection::vec(0..300_usize, 0..10),
            rates in prop::sample::select(vec![(44_100, 48_000), (48_000, 16_000)]),
        ) {
            let mut resampler = Resampler::between(rates.0, rates.1).expect("different rates");
            let mut rest = &sound[..];
            let mut pieces = Vec::new();
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.extend_from_slice(resampler.push(Sound { silence: 0, samples: piece }).samples);
                rest = after;
            }
            pieces.extend_from_slice(resampler.push(Sound { silence: 0, samples: rest }).samples);
            prop_assert_eq!(pieces, resampled(rates.0, rates.1, &sound));
        }
    }
}
