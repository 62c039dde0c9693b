//! The pictures of a session as a strip along its time. Each leads to its moment in the recording; a
//! script (`style/frames.js`) has the player go there.

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use protocol::SessionId;

use super::waveform::seconds_of;
use crate::views::FrameView;
use crate::{assets, format, paths};

/// Pictures in the strip; of more, as many are picked evenly.
const SHOWN_MAX: usize = 60;

#[component]
pub(super) fn Frames(id: SessionId, frames: Vec<FrameView>) -> impl IntoView {
    (!frames.is_empty()).then(|| {
        let all = frames.len();
        let shown = picked(&frames);
        let fewer = (shown.len() < all).then(|| {
            let all = format::count(all as u64, "picture", "pictures");
            view! { <p class="aside">{format!("{} of {all} are shown.", shown.len())}</p> }
        });
        view! {
            <section>
                <h2 id="pictures">"Pictures"</h2>
                {fewer}
                <ul class="frames" role="list" tabindex="0" aria-labelledby="pictures">
                    {shown.into_iter().map(|frame| view! { <Frame id frame/> }).collect_view()}
                </ul>
                <script type="module" src=assets::address("style/frames.js") nonce=use_nonce()></script>
            </section>
        }
    })
}

/// The first, the last, and those at even distances between them.
fn picked(frames: &[FrameView]) -> Vec<FrameView> {
    if frames.len() <= SHOWN_MAX {
        return frames.to_vec();
    }
    let last = frames.len() - 1;
    (0..SHOWN_MAX).map(|place| frames[place * last / (SHOWN_MAX - 1)]).collect()
}

#[component]
fn Frame(id: SessionId, frame: FrameView) -> impl IntoView {
    let at = format::duration(frame.at);
    view! {
        <li>
            <button type="button" data-seek=seconds_of(frame.place)>
                <img
                    src=paths::frame(id, frame.number)
                    alt=format!("Picture at {at}; play from there")
                    loading="lazy"
                    decoding="async"
                    width="160"
                    height="120"
                />
                <span aria-hidden="true">{at}</span>
            </button>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, session_id, text};
    use protocol::Millis;

    fn frames(count: u32) -> Vec<FrameView> {
        let frame = |number: u32| FrameView {
            number,
            at: Millis::from_secs(u64::from(number) * 10),
            place: Millis::from_secs(u64::from(number) * 9),
        };
        (0..count).map(frame).collect()
    }

    #[test]
    fn a_picture_leads_to_its_moment_in_the_recording() {
        let page = html(|| view! { <Frames id=session_id(1) frames=frames(2)/> });
        assert!(page.contains("data-seek=\"9.000\""), "{page}");
        assert!(page.contains("loading=\"lazy\""));
        assert!(page.contains(&format!("src=\"{}\"", paths::frame(session_id(1), 1))));
        assert!(text(&page).contains("0:10"), "on the clock it is later");
        assert!(!html(|| view! { <Frames id=session_id(1) frames=Vec::new()/> }).contains("<h2"));
    }

    #[test]
    fn of_many_pictures_the_first_the_last_and_some_between_are_shown() {
        let most = u32::try_from(SHOWN_MAX).unwrap();
        assert_eq!(picked(&frames(most)).len(), SHOWN_MAX);
        for count in [most + 1, 1_000, 50_000] {
            let numbers: Vec<u32> =
                picked(&frames(count)).iter().map(|frame| frame.number).collect();
            assert_eq!(numbers.len(), SHOWN_MAX);
            assert_eq!((numbers[0], numbers[SHOWN_MAX - 1]), (0, count - 1));
            assert!(numbers.is_sorted_by(|one, next| one < next), "{count}: {numbers:?}");
        }
        let page = html(|| view! { <Frames id=session_id(1) frames=frames(1_000)/> });
        assert!(text(&page).contains("60 of 1,000 pictures are shown."), "{page}");
    }
}
