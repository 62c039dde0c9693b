//! The command line of `holdfast`.

use clap::{Parser, Subcommand};

use crate::backup::BackupArgs;
use crate::config::Config;
use crate::delete::DeleteArgs;
use crate::tools::{InspectArgs, RepairArgs, StitchArgs};

/// Wider lines are hard to read.
const HELP_COLUMNS_MAX: usize = 100;

/// Records interviews in a browser tab and does not lose them.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, about, max_term_width = HELP_COLUMNS_MAX)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Serve(Config),
    /// Copy everything that a server has, while it runs or not, to where another one can be started.
    Backup(BackupArgs),
    /// Erase sessions for good, from a data folder that no server uses at the moment.
    Delete(DeleteArgs),
    /// Join the bytes of recorder runs into one file that plays and seeks everywhere.
    Stitch(StitchArgs),
    /// Make the best seekable file of one that is damaged, cut off or unfinished.
    Repair(RepairArgs),
    /// Tell what a recorder's file holds, and what is wrong with it.
    Inspect(InspectArgs),
}
