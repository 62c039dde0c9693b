//! The real program as a process of its own, to be killed, and to be given a disk of its own.

use std::ops::Deref;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::harness::{Api, PATIENCE};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_holdfast");

pub(crate) struct Process {
    child: Child,
    at: Api,
    log: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) async fn start(folder: &Path, options: &[&str]) -> Self {
        Self::run(Command::new(PROGRAM), folder, options).await.expect("the program starts")
    }

    /// On a file system of its own that holds `megabytes`. `None` where this user may not mount.
    pub(crate) async fn start_on_small_disk(
        folder: &Path,
        megabytes: u32,
        options: &[&str],
    ) -> Option<Self> {
        Self::run(program_on_small_disk(folder, megabytes), folder, options).await
    }

    /// `None` when the program ends before it serves.
    pub(crate) async fn run(mut command: Command, folder: &Path, options: &[&str]) -> Option<Self> {
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder).args(options);
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().ok()?;
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let address = timeout(PATIENCE, async {
            let mut address = None;
            while let Some(line) = lines.next_line().await.unwrap() {
                note(&log, &line);
                if let Some((_, told)) = line.split_once("Holdfast is at http://") {
                    address = Some(told.trim().parse().unwrap());
                }
                if line.ends_with(": ready") {
                    return address;
                }
            }
            None
        });
        let address = address.await.expect("the program says where it listens")?;
        let (kept, noted) = (log.clone(), log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                note(&noted, &line);
            }
        });
        Some(Self { child, at: Api::at(address), log: kept })
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap()
    }

    /// The folder as the process sees it, on its own file system.
    pub(crate) fn inside(&self, folder: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid().as_raw_nonzero()));
        root.join(folder.strip_prefix("/").unwrap())
    }

    /// `kill -9`; returns once it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) fn send_sigterm(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("the program ends").unwrap()
    }

    pub(crate) fn lines_with(&self, text: &str) -> usize {
        self.log.lock().unwrap().lines().filter(|line| line.contains(text)).count()
    }

    /// The most memory that was ever in use, in bytes.
    pub(crate) fn peak_resident_bytes(&self) -> u64 {
        peak_resident_bytes_of(self.pid().as_raw_nonzero().get()).unwrap()
    }

    /// Memory in use, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/statm", self.pid().as_raw_nonzero());
        let statm = std::fs::read_to_string(path).unwrap();
        let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
        pages * rustix::param::page_size() as u64
    }
}

/// The program, to which `folder` is a file system that holds `megabytes`.
pub(crate) fn program_on_small_disk(folder: &Path, megabytes: u32) -> Command {
    const MOUNT: &str = "mount -t tmpfs -o size=$1m tmpfs \"$2\" && shift 2 && exec \"$@\"";
    let namespaces = if rustix::process::geteuid().is_root() { "-m" } else { "-Urm" };
    let mut command = Command::new("unshare");
    command.args([namespaces, "sh", "-c", MOUNT, "sh", &megabytes.to_string()]);
    command.arg(folder).arg(PROGRAM);
    command
}

/// The program, for which `ffmpeg` in this folder is a script that does this when it is to convert.
pub(crate) fn program_with_ffmpeg(folder: &Path, converts: &str) -> Command {
    let programs = folder.join("programs");
    std::fs::create_dir_all(&programs).unwrap();
    let ffmpeg = programs.join("ffmpeg");
    std::fs::write(&ffmpeg, format!("#!/bin/sh\n[ \"$1\" = -version ] && exit 0\n{converts}\n"))
        .unwrap();
    std::fs::set_permissions(&ffmpeg, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(PROGRAM);
    command.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    command
}

/// Where the real one is.
pub(crate) fn installed_ffmpeg() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join("ffmpeg")).find(|one| one.is_file())
}

/// Every ffmpeg that works in this folder.
pub(crate) fn ffmpegs_in(folder: &Path) -> Vec<i32> {
    let folder = folder.to_str().unwrap();
    let is_here = |pid: &i32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command);
        let program = command.split('\0').next().unwrap_or_default();
        program.ends_with("ffmpeg") && command.contains(folder)
    };
    let processes = std::fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|one| one.unwrap().file_name().to_str()?.parse().ok());
    pids.filter(is_here).collect()
}

/// `None` of a process that is gone.
pub(crate) fn peak_resident_bytes_of(pid: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

impl Deref for Process {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.at
    }
}

fn note(log: &Mutex<String>, line: &str) {
    let mut log = log.lock().unwrap();
    log.push_str(line);
    log.push('\n');
}
