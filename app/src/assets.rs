//! The addresses of style sheets and scripts. A page names them under the build that they belong
//! to, so that no cache on the way can give it the files of another one.

use leptos::prelude::use_context;

/// Where assets are served under their plain names, whichever build is the newest.
const ASSETS: &str = "/assets";

/// Names the build whose files the page is to load; a context of the page's owner.
#[derive(Debug, Clone, Copy)]
pub struct Build(pub &'static str);

/// The address of the file at `path`, such as `style/holdfast.css`.
pub(crate) fn address(path: &str) -> String {
    format!("{}/{path}", folder())
}

/// The folder of all files. Without a build they are named plainly.
pub(crate) fn folder() -> String {
    match use_context::<Build>() {
        Some(Build(id)) => format!("{ASSETS}/{id}"),
        None => ASSETS.to_owned(),
    }
}

/// The same file as the one at this plain address.
pub(crate) fn of_build(plain: &str) -> String {
    match plain.strip_prefix(ASSETS) {
        Some(path) => address(path.trim_start_matches('/')),
        None => plain.to_owned(),
    }
}
