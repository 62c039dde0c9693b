//! The command line and the `HOLDFAST_*` variables, parsed into what the server is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use protocol::Millis;

/// Records interviews in a browser tab and does not lose them.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, about)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(Config),
}

/// Every option can also be given as the environment variable named in brackets.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address and port to listen on. Loopback unless you say otherwise: whoever reaches this
    /// address can see every recording.
    #[arg(long, env = "HOLDFAST_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,

    /// Folder for the database and the recordings; made if it is not there.
    #[arg(long, env = "HOLDFAST_DATA_DIR", value_name = "DIR", default_value = "data")]
    pub data_dir: PathBuf,

    /// Database, such as sqlite:///var/lib/holdfast/holdfast.db [default: holdfast.db in the data
    /// folder].
    #[arg(long, env = "HOLDFAST_DATABASE_URL", value_name = "URL")]
    pub database_url: Option<DatabaseUrl>,

    /// How long a lost connection may take to come back before its session counts as incomplete.
    #[arg(long, env = "HOLDFAST_GRACE", value_name = "TIME", default_value = "30s")]
    pub grace: Span,

    /// How long a connection may be silent before it is given up.
    #[arg(long, env = "HOLDFAST_HEARTBEAT_TIMEOUT", value_name = "TIME", default_value = "30s")]
    pub heartbeat_timeout: Span,

    /// How long an incomplete session can be resumed before it is finalized with what is there.
    #[arg(long, env = "HOLDFAST_RESUME_WINDOW", value_name = "TIME", default_value = "24h")]
    pub resume_window: Span,

    /// WebSocket connections at the same time; one more is refused.
    #[arg(long, env = "HOLDFAST_CONNECTIONS_MAX", value_name = "N", default_value_t = 10_000)]
    pub connections_max: usize,

    /// What to log, as in RUST_LOG: a level, or targets with levels.
    #[arg(long, env = "HOLDFAST_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
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
    pub(crate) fn database_path(&self) -> PathBuf {
        match &self.database_url {
            Some(DatabaseUrl::Sqlite(path)) => path.clone(),
            None => self.data_dir.join("holdfast.db"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
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
    fn spans_are_written_with_units() {
        assert_eq!("24h".parse::<Span>().unwrap().0, Millis::from_secs(86_400));
        assert!("thirty".parse::<Span>().is_err());
        assert!("-3s".parse::<Span>().is_err());
    }
}
