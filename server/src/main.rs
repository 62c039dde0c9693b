//! The `holdfast` command.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use server::Server;
use server::backup::backup;
use server::cli::{Cli, Command};
use server::config::Config;
use server::delete::delete;
use server::log;
use server::tools::{self, Told};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(config) => serve(config),
        Command::Backup(args) => {
            server::keep_to_ourselves();
            tell(backup(&args).map(|text| Told { text, is_whole: true }))
        }
        Command::Delete(args) => {
            server::keep_to_ourselves();
            tell(delete(&args).map(|text| Told { text, is_whole: true }))
        }
        Command::Stitch(args) => tell(tools::stitch(&args)),
        Command::Repair(args) => tell(tools::repair(&args)),
        Command::Inspect(args) => {
            tell(tools::inspect(&args).map(|text| Told { text, is_whole: true }))
        }
    }
}

fn tell(told: Result<Told, impl Display>) -> ExitCode {
    match told {
        Ok(Told { text, is_whole }) => {
            // Whoever reads may have had enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            if is_whole {
                return ExitCode::SUCCESS;
            }
            let advice = "not everything went in: keep the files that it was made of";
            let _ = writeln!(std::io::stderr(), "holdfast: {advice}");
            ExitCode::FAILURE
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "holdfast: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config) -> ExitCode {
    server::keep_to_ourselves();
    log::start(&config.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(async { Server::start(config).await?.run_until_signal().await });
    // What is still on its way when the server has stopped is not worth waiting for.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
