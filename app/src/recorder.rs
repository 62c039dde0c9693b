//! The recorder: the one part of the pages that runs in the browser.

pub mod island;
pub mod port;

mod controls;
mod microphone;
mod report;
mod unfinished;
mod words;
