//! How loud the microphone is just now, for the meter on the page.

use gloo_timers::callback::Interval;
use protocol::Millis;
use wasm_bindgen::JsValue;
use web_sys::{AnalyserNode, AudioContext, MediaStream, MediaStreamAudioSourceNode};

use crate::browser;

const METER_EVERY: Millis = Millis::new(50);

/// Samples looked at each time: 43 ms at 48 kHz, so that next to nothing goes unseen.
const WINDOW_SAMPLES: u32 = 2048;

/// The bottom of the scale; what is quieter is silence.
const QUIETEST_DBFS: f32 = -60.0;

/// Runs until it is dropped.
pub(crate) struct LevelMeter {
    context: AudioContext,
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
        let analyser = context.create_analyser()?;
        analyser.set_fft_size(WINDOW_SAMPLES);
        source.connect_with_audio_node(&analyser)?;
        // A context that starts suspended goes on once the candidate has clicked anything.
        let _ = context.resume()?;
        let mut samples = vec![0.0; WINDOW_SAMPLES as usize];
        let interval = Interval::new(METER_EVERY.get() as u32, move || {
            on_level(measure(&analyser, &mut samples));
        });
        Ok(Self { context, _source: source, _interval: interval })
    }
}

impl Drop for LevelMeter {
    fn drop(&mut self) {
        if let Err(error) = self.context.close() {
            browser::warn("The level meter could not be closed.", &error);
        }
    }
}

fn measure(analyser: &AnalyserNode, samples: &mut [f32]) -> f32 {
    analyser.get_float_time_domain_data(samples);
    level(samples)
}

/// The root mean square on a scale from 0 (at most [`QUIETEST_DBFS`]) to 1 (0 dBFS).
fn level(samples: &[f32]) -> f32 {
    let sum: f32 = samples.iter().map(|sample| sample * sample).sum();
    let mean = sum / samples.len() as f32;
    let dbfs = 10.0 * mean.log10();
    (1.0 - dbfs / QUIETEST_DBFS).clamp(0.0, 1.0)
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
}
