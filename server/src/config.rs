//! What the server is told: by options and by the `HOLDFAST_*` variables.

mod address;
mod limit;

use std::path::PathBuf;
use std::str::FromStr;

use app::recorder::settings::Settings;
use clap::Args;
use ledger::rules::Policy;
use protocol::Millis;

pub use address::ListenAddress;
pub use limit::Limit;

/// The database's name in the data folder.
pub(crate) const DATABASE: &str = "holdfast.db";

/// A client that comes back to a session which it had discarded is told so for this long.
pub const DISCARDED_KEPT: Millis = Millis::from_secs(7 * 24 * 3600);

/// Where a server keeps what it has.
#[derive(Debug, Clone, Args)]
pub struct DataPlace {
    /// Folder for the database and the recordings; a server makes it if it is not there.
    #[arg(
        long = "data-dir",
        env = "HOLDFAST_DATA_DIR",
        value_name = "DIR",
        default_value = "data"
    )]
    pub folder: PathBuf,

    /// Database, such as sqlite:///var/lib/holdfast/holdfast.db [default: holdfast.db in the data
    /// folder].
    #[arg(long, env = "HOLDFAST_DATABASE_URL", value_name = "URL")]
    pub database_url: Option<DatabaseUrl>,
}

impl DataPlace {
    pub(crate) fn database(&self) -> PathBuf {
        match &self.database_url {
            Some(DatabaseUrl::Sqlite(path)) => path.clone(),
            None => self.folder.join(DATABASE),
        }
    }
}

/// Every option can also be given as the environment variable named in brackets.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address or name, and port, to listen on; of a name that has several addresses, the first that
    /// works. Loopback unless you say otherwise: whoever reaches this address can see every recording.
    /// Prometheus finds its metrics there at /metrics: counts only, nothing of what was recorded or
    /// by whom.
    #[arg(long, env = "HOLDFAST_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:3000")]
    pub listen: ListenAddress,

    #[command(flatten)]
    pub data: DataPlace,

    /// How large the database file may grow, such as 20GB; then the server takes nothing until
    /// sessions are finished or discarded [default: as large as the disk].
    #[arg(
        long, env = "HOLDFAST_DATABASE_SIZE_MAX", value_name = "SIZE",
        value_parser = database_size
    )]
    pub database_size_max: Option<Size>,

    /// How long a lost connection may take to come back before its session counts as incomplete.
    #[arg(long, env = "HOLDFAST_GRACE", value_name = "TIME", default_value = "30s")]
    pub grace: Span,

    /// How long a connection may be silent before it is given up.
    #[arg(long, env = "HOLDFAST_HEARTBEAT_TIMEOUT", value_name = "TIME", default_value = "30s")]
    pub heartbeat_timeout: Span,

    /// How long an incomplete session can be resumed before it is finalized with what is there.
    #[arg(long, env = "HOLDFAST_RESUME_WINDOW", value_name = "TIME", default_value = "24h")]
    pub resume_window: Span,

    /// How long a session is kept of which no recording could be made, with all its chunks.
    #[arg(long, env = "HOLDFAST_FAILED_KEPT", value_name = "TIME", default_value = "30d")]
    pub failed_kept: Span,

    /// How often what nobody needs any more is cleared away.
    #[arg(long, env = "HOLDFAST_JANITOR_EVERY", value_name = "TIME", default_value = "6h")]
    pub janitor_every: Span,

    /// WebSocket connections at the same time; one more is refused.
    #[arg(long, env = "HOLDFAST_CONNECTIONS_MAX", value_name = "N", default_value_t = 10_000)]
    pub connections_max: usize,

    /// How large one session may grow, such as 64GB; its items count for at least 128 bytes each. Then
    /// it takes no more, and can be finished with what it has.
    #[arg(long, env = "HOLDFAST_SESSION_SIZE_MAX", value_name = "SIZE", default_value = "64GB")]
    pub session_size_max: Size,

    /// How far ahead of all that came an item may be numbered: more is lost than any recorder loses.
    #[arg(long, env = "HOLDFAST_ITEMS_AHEAD_MAX", value_name = "N", default_value_t = 100_000)]
    pub items_ahead_max: u64,

    /// Holes that one session may have at the same time, where items are missing between others.
    #[arg(long, env = "HOLDFAST_HOLES_MAX", value_name = "N", default_value_t = 4_096)]
    pub holes_max: u64,

    /// Sessions that one address (of IPv6: one /64 network) may begin in a day, in UTC. Behind a
    /// proxy all candidates have one address.
    #[arg(
        long,
        env = "HOLDFAST_SESSIONS_PER_ADDRESS_DAY",
        value_name = "N",
        default_value_t = 2_000
    )]
    pub sessions_per_address_day: u64,

    /// Bytes that one address may bring in a day, as above. Browsers keep what is past it, and try
    /// again.
    #[arg(
        long,
        env = "HOLDFAST_BYTES_PER_ADDRESS_DAY",
        value_name = "SIZE",
        default_value = "2TB"
    )]
    pub bytes_per_address_day: Size,

    /// Room on the disk that is kept for sessions in progress: with less than that, none is begun
    /// [default: 2GB, or a twentieth of the disk where that is less].
    #[arg(long, env = "HOLDFAST_NEW_SESSION_RESERVE", value_name = "SIZE")]
    pub new_session_reserve: Option<Size>,

    /// How often a candidate's recorder hands over what it has: 20ms to 1s. What is longer loses
    /// more with a browser that is killed; browsers make sound in pieces of 60 ms.
    #[arg(
        long, env = "HOLDFAST_TIMESLICE", value_name = "TIME", default_value = "100ms",
        value_parser = timeslice
    )]
    pub timeslice: Span,

    /// Bits a second of each recorded sound: 6000 to 510000.
    #[arg(
        long, env = "HOLDFAST_AUDIO_BITRATE", value_name = "BITS", default_value_t = 128_000,
        value_parser = clap::value_parser!(u32).range(
            i64::from(Settings::MIN.audio_bits_per_second)
                ..=i64::from(Settings::MAX.audio_bits_per_second)
        )
    )]
    pub audio_bitrate: u32,

    /// Bits a second of each recorded picture: 50000 to 20000000.
    #[arg(
        long, env = "HOLDFAST_VIDEO_BITRATE", value_name = "BITS", default_value_t = 1_500_000,
        value_parser = clap::value_parser!(u32).range(
            i64::from(Settings::MIN.video_bits_per_second)
                ..=i64::from(Settings::MAX.video_bits_per_second)
        )
    )]
    pub video_bitrate: u32,

    /// How often the camera takes a picture where no video is recorded: 200ms to 60s.
    #[arg(
        long, env = "HOLDFAST_STILL_EVERY", value_name = "TIME", default_value = "2s",
        value_parser = still_every
    )]
    pub still_every: Span,

    /// What to log, as in RUST_LOG: a level, or targets with levels.
    #[arg(long, env = "HOLDFAST_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// The smallest limit of a database's size: below it the reserve would be all there is.
const DATABASE_SIZE_MIN: u64 = 8 * 1024 * 1024;

/// A size written like `512MB` or `20GB`, or as plain bytes. Units are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    #[error("a size looks like 512MB or 20GB")]
    Unknown,
    #[error("a database needs at least 8MB")]
    TooSmall,
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim().to_ascii_uppercase().as_str() {
            "" | "B" => 0,
            "KB" | "KIB" | "K" => 10,
            "MB" | "MIB" | "M" => 20,
            "GB" | "GIB" | "G" => 30,
            "TB" | "TIB" | "T" => 40,
            _ => return Err(SizeError::Unknown),
        };
        let number: u64 = number.parse().map_err(|_| SizeError::Unknown)?;
        number.checked_mul(1 << shift).map(Self).ok_or(SizeError::Unknown)
    }
}

fn database_size(text: &str) -> Result<Size, SizeError> {
    let size: Size = text.parse()?;
    if size.0 < DATABASE_SIZE_MIN { Err(SizeError::TooSmall) } else { Ok(size) }
}

/// A span of time written like `30s`, `5m` or `24h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Millis);

impl FromStr for Span {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span = humantime::parse_duration(text)?;
        Ok(Self(Millis::new(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))))
    }
}

fn timeslice(text: &str) -> Result<Span, String> {
    span_within(text, Settings::MIN.timeslice, Settings::MAX.timeslice)
}

fn still_every(text: &str) -> Result<Span, String> {
    span_within(text, Settings::MIN.still_every, Settings::MAX.still_every)
}

fn span_within(text: &str, min: Millis, max: Millis) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error: humantime::DurationError| error.to_string())?;
    if (min..=max).contains(&span.0) { Ok(span) } else { Err(format!("not within {min} to {max}")) }
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    #[error("PostgreSQL is not supported by this version; use sqlite://PATH")]
    PostgresUnsupported,
    #[error("a database URL looks like sqlite:///var/lib/holdfast/holdfast.db")]
    Unknown,
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return Err(DatabaseUrlError::PostgresUnsupported);
        }
        let path = text.strip_prefix("sqlite:").ok_or(DatabaseUrlError::Unknown)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains(['?', '#']) || path == ":memory:" {
            return Err(DatabaseUrlError::Unknown);
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

impl Config {
    /// How long what lasts, and how large a session may be.
    pub fn policy(&self) -> Policy {
        Policy {
            grace: self.grace.0,
            resume_window: self.resume_window.0,
            discarded_kept: DISCARDED_KEPT,
            failed_kept: self.failed_kept.0,
            session_bytes_max: self.session_size_max.0,
            seq_ahead_max: self.items_ahead_max,
            holes_max: self.holes_max,
        }
    }

    /// What the page is told of how to record.
    pub(crate) fn recorder(&self) -> Settings {
        Settings {
            timeslice: self.timeslice.0,
            audio_bits_per_second: self.audio_bitrate,
            video_bits_per_second: self.video_bitrate,
            still_every: self.still_every.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn how_to_record_is_taken_up_to_its_bounds_and_refused_past_them() {
        let parse = |option: &str, value: &str| {
            Cli::try_parse_from(["holdfast", "serve", option, value]).map(|cli| match cli.command {
                Command::Serve(config) => config.recorder(),
                Command::Backup(_)
                | Command::Delete(_)
                | Command::Stitch(_)
                | Command::Repair(_)
                | Command::Inspect(_) => unreachable!("it says serve"),
            })
        };
        for (option, min, max, below, above) in [
            ("--timeslice", "20ms", "1s", "19ms", "1001ms"),
            ("--still-every", "200ms", "60s", "199ms", "60001ms"),
            ("--audio-bitrate", "6000", "510000", "5999", "510001"),
            ("--video-bitrate", "50000", "20000000", "49999", "20000001"),
        ] {
            for inside in [min, max] {
                let settings = parse(option, inside).unwrap();
                assert_eq!(settings.within_bounds(), settings, "{option} {inside}");
            }
            for outside in [below, above] {
                assert!(parse(option, outside).is_err(), "{option} {outside}");
            }
        }
        assert_eq!(parse("--log", "info").unwrap(), Settings::DEFAULT);
    }

    #[test]
    fn database_urls_name_a_file_or_are_refused() {
        let path = |text: &str| text.parse::<DatabaseUrl>();
        assert_eq!(path("sqlite:///a/b.db"), Ok(DatabaseUrl::Sqlite("/a/b.db".into())));
        assert_eq!(path("sqlite://b.db"), Ok(DatabaseUrl::Sqlite("b.db".into())));
        assert_eq!(path("sqlite:b.db"), Ok(DatabaseUrl::Sqlite("b.db".into())));
        assert_eq!(path("postgres://x/y"), Err(DatabaseUrlError::PostgresUnsupported));
        for text in ["", "sqlite:", "sqlite::memory:", "mysql://x", "b.db"] {
            assert_eq!(path(text), Err(DatabaseUrlError::Unknown), "{text}");
        }
    }

    #[test]
    fn sizes_are_written_with_units_and_a_database_is_not_too_small() {
        let size = |text: &str| text.parse::<Size>();
        assert_eq!(size("20GB"), Ok(Size(20 << 30)));
        assert_eq!(size("512 MiB"), Ok(Size(512 << 20)));
        assert_eq!(database_size("8388608"), Ok(Size(DATABASE_SIZE_MIN)));
        assert_eq!(database_size("8388607"), Err(SizeError::TooSmall));
        for text in ["", "GB", "-1GB", "1.5GB", "many", "99999999TB"] {
            assert_eq!(size(text), Err(SizeError::Unknown), "{text}");
        }
    }

    #[test]
    fn spans_are_written_with_units() {
        assert_eq!("24h".parse::<Span>().unwrap().0, Millis::from_secs(86_400));
        assert!("thirty".parse::<Span>().is_err());
        assert!("-3s".parse::<Span>().is_err());
    }
}
