//! Holdfast's pages and islands, and the ports through which they reach the browser.
//!
//! A page is a pure view: its data comes in as a plain struct from [`views`], it fetches nothing
//! and knows no database. Each page component renders a whole document. Only the recorder is an
//! island; it reaches the browser through [`recorder::port::RecorderPort`].

// The recorder is one deep type. Erasing parts of it would add 30 KB, compressed, to the download.
#![recursion_limit = "256"]
#![expect(
    unreachable_pub,
    reason = "the component macro writes `pub` for components that only this crate sees"
)]

pub mod assets;
pub mod format;
pub mod pages;
pub mod paths;
pub mod recorder;
pub mod shell;
pub mod views;

mod badge;
mod moment;

#[cfg(test)]
mod rendering;
