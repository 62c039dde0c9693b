//! How loud the microphone is: just now, for the meter on the page, and at its loudest lately, to
//! tell whether it delivers anything at all.
//!
//! An analyser keeps the last samples by itself, on the browser's audio thread. Reading them with
//! each chunk that the recorder delivers needs no timer of the page, so that silence is noticed in a
//! hidden page too (Chromium, Firefox). Where the browser stops the audio graph, as Safari on a phone
//! does during a call, the level is not known and nothing is said about it.

use std::cell::RefCell;

use gloo_timers::callback::Interval;
use protocol::Millis;
use wasm_bindgen::JsValue;
use web_sys::{
    AnalyserNode, AudioContext, AudioContextState, MediaStream, MediaStreamAudioSourceNode,
};

use crate::browser;

const METER_EVERY: Millis = Millis::new(50);

/// Samples that the meter looks at each time: 43 ms at 48 kHz, so that next to nothing goes unseen.
const METER_SAMPLES: u32 = 2048;

/// The most that an analyser keeps: 683 ms at 48 kHz, more than passes between two chunks.
const LATEST_SAMPLES: u32 = 32_768;

/// The bottom of the scale; what is quieter is silence.
const QUIETEST_DBFS: f32 = -60.0;

/// Runs until it is dropped.
pub(crate) struct LevelMeter {
    context: AudioContext,
    latest: AnalyserNode,
    samples: RefCell<Vec<f32>>,
    _source: MediaStreamAudioSourceNode,
    _interval: Interval,
}

impl LevelMeter {
    pub(crate) fn new(
        stream: &MediaStream,
        on_level: impl Fn(f32) + 'static,
    ) -> Result<Self, JsValue> {
        let context = AudioContext::new()?;
        let source = context.create_media_stream_source(stream)?;
        let current = analyser(&context, &source, METER_SAMPLES)?;
        let latest = analyser(&context, &source, LATEST_SAMPLES)?;
        // A context that starts suspended goes on once the candidate has clicked anything.
        let _ = context.resume()?;
        let mut samples = vec![0.0; METER_SAMPLES as usize];
        let interval = Interval::new(METER_EVERY.get() as u32, move || {
            current.get_float_time_domain_data(&mut samples);
            on_level(level(&samples));
        });
        let samples = RefCell::new(vec![0.0; LATEST_SAMPLES as usize]);
        Ok(Self { context, latest, samples, _source: source, _interval: interval })
    }

    /// The loudest of the latest samples, 0 to 1; `None` while the browser measures nothing.
    pub(crate) fn peak(&self) -> Option<f32> {
        if self.context.state() != AudioContextState::Running {
            return None;
        }
        let samples = &mut *self.samples.borrow_mut();
        self.latest.get_float_time_domain_data(samples);
        Some(peak(samples))
    }
}

impl Drop for LevelMeter {
    fn drop(&mut self) {
        if let Err(error) = self.context.close() {
            browser::warn("The level meter could not be closed.", &error);
        }
    }
}

fn analyser(
    context: &AudioContext,
    source: &MediaStreamAudioSourceNode,
    samples: u32,
) -> Result<AnalyserNode, JsValue> {
    let analyser = context.create_analyser()?;
    analyser.set_fft_size(samples);
    source.connect_with_audio_node(&analyser)?;
    Ok(analyser)
}

/// The root mean square on a scale from 0 (at most [`QUIETEST_DBFS`]) to 1 (0 dBFS).
fn level(samples: &[f32]) -> f32 {
    let sum: f32 = samples.iter().map(|sample| sample * sample).sum();
    let mean = sum / samples.len() as f32;
    let dbfs = 10.0 * mean.log10();
    (1.0 - dbfs / QUIETEST_DBFS).clamp(0.0, 1.0)
}

fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, sample| sample.abs().max(peak))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_runs_from_silence_to_full() {
        assert_eq!(level(&[0.0; 64]), 0.0);
        assert_eq!(level(&[1.0; 64]), 1.0);
        assert!((level(&[0.1; 64]) - 2.0 / 3.0).abs() < 0.01);
    }

    #[test]
    fn the_peak_is_the_loudest_sample_in_either_direction() {
        assert_eq!(peak(&[0.0; 64]), 0.0);
        assert_eq!(peak(&[0.1, -0.5, 0.25]), 0.5);
    }
}
