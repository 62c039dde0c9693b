//! The recording in other forms. Each is a link that makes it when it is followed; a script
//! (`style/exports.js`) tells how far that is.

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use protocol::SessionId;

use crate::views::ExportRow;
use crate::{assets, paths};

#[component]
pub(super) fn Exports(id: SessionId, exports: Vec<ExportRow>) -> impl IntoView {
    (!exports.is_empty()).then(|| {
        view! {
            <details class="exports" data-exports=paths::exports(id)>
                <summary>"Other formats"</summary>
                <ul>{exports.into_iter().map(|export| row(id, export)).collect_view()}</ul>
                <script type="module" src=assets::address("style/exports.js") nonce=use_nonce()></script>
            </details>
        }
    })
}

fn row(id: SessionId, export: ExportRow) -> impl IntoView {
    let ExportRow { format, obstacle, failure } = export;
    let (name, what) = labels(format);
    match obstacle {
        Some(obstacle) => view! {
            <li>
                <span class="unavailable">{name}</span>
                " "
                {what}
                <small>{obstacle}</small>
            </li>
        }
        .into_any(),
        None => view! {
            <li>
                <a href=format!("{}?download=1", paths::export(id, format)) download data-format=format>
                    {name}
                </a>
                " "
                {what}
                <small role="status">{failure}</small>
            </li>
        }
        .into_any(),
    }
}

/// A name and what it is good for.
fn labels(format: &str) -> (&'static str, &'static str) {
    match format {
        "timeline" => ("With all gaps", "Pauses and gaps play as silence: in step with the clock."),
        "ogg" => ("Ogg", "The sound alone, as Opus; several sounds become one."),
        "mp3" => ("MP3", "The sound for every player there is."),
        "wav" => ("WAV", "The sound uncompressed, for audio tools."),
        "mp4" => ("MP4", "Picture and sound for every player there is."),
        _ => ("ZIP", "The recording with all that is known of the session, as JSON."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, session_id, text};

    #[test]
    fn what_can_be_had_is_a_link_and_what_cannot_or_failed_says_why() {
        let exports = vec![
            ExportRow { format: "ogg", obstacle: None, failure: None },
            ExportRow { format: "zip", obstacle: None, failure: Some("It broke.".to_owned()) },
            ExportRow {
                format: "mp3",
                obstacle: Some("This needs ffmpeg.".to_owned()),
                failure: None,
            },
        ];
        let page = html(|| view! { <Exports id=session_id(1) exports/> });
        let ogg = paths::export(session_id(1), "ogg");
        assert!(page.contains(&format!("href=\"{ogg}?download=1\" download")), "{page}");
        assert!(!page.contains("/exports/mp3?"), "{page}");
        assert!(text(&page).contains("This needs ffmpeg."), "{page}");
        let zip = paths::export(session_id(1), "zip");
        assert!(
            page.contains(&zip) && text(&page).contains("It broke."),
            "it can be tried: {page}"
        );
        assert!(
            !html(|| view! { <Exports id=session_id(1) exports=Vec::new()/> }).contains("Other")
        );
    }
}
