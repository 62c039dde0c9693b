//! What the server says on stderr: what was asked for, with its address first, and in colours where
//! somebody looks.

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// Of what is said whatever was asked for: where the server is, and why it does not start.
pub const ALWAYS: &str = "holdfast";

/// Says from here on what `asked` lets through: a level, or targets with levels.
pub fn start(asked: &str) {
    // Names in colours would be noise in a file. NO_COLOR: see no-color.org.
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter(asked))
        .with_ansi(std::io::stderr().is_terminal() && !no_colour)
        .with_writer(std::io::stderr)
        .init();
}

fn filter(asked: &str) -> EnvFilter {
    let directive = |text: &str| text.parse().expect("a target and a level");
    let filter = EnvFilter::try_new(asked).unwrap_or_else(|_| EnvFilter::new("info"));
    // Each file of the pages, at every start.
    let of_assets =
        if filter.max_level_hint() >= Some(LevelFilter::DEBUG) { "info" } else { "warn" };
    filter
        .add_directive(directive(&format!("memory_serve={of_assets}")))
        // A decoder that complains of every bad packet of a recording.
        .add_directive(directive("symphonia_codec_aac=off"))
        .add_directive(directive(&format!("{ALWAYS}=info")))
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is let through of one line about assets, one of the server's and its address.
    fn said(asked: &str) -> [bool; 3] {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter(asked))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "memory_serve", "serving a file");
            tracing::info!(target: "server::serve", "ready");
            tracing::info!(target: ALWAYS, "the address");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        ["serving a file", "ready", "the address"].map(|line| text.contains(line))
    }

    #[test]
    fn assets_are_said_to_whoever_asks_for_details_and_the_address_to_everybody() {
        assert_eq!(said("info"), [false, true, true]);
        assert_eq!(said("debug"), [true, true, true]);
        assert_eq!(said("warn"), [false, false, true]);
        assert_eq!(said("off"), [false, false, true]);
        assert_eq!(said("no=such=filter"), [false, true, true]);
    }
}
