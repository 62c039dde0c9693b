//! The recorder: the one part of the pages that runs in the browser.

pub mod island;
pub mod port;
pub mod settings;

mod controls;
mod messages;
mod microphone;
mod report;
mod source;
mod unfinished;
