//! The messages of the recorder, derived from its state. Pure.

use protocol::{Millis, Receipt};

use super::port::{
    Elsewhere, LinkState, RecorderState, RecorderView, Room, ServerTrouble, Unfinished, Warning,
};
use crate::format;

/// Less room than this is too little for an interview in which the connection fails.
const ROOM_SHORT: Millis = Millis::from_secs(30 * 60);

/// More than anybody records in one go need not be counted.
const ROOM_AMPLE: Millis = Millis::from_secs(48 * 3600);

/// The one line that is read out when it changes. It holds no numbers, so it changes only with
/// the state.
pub(super) const fn headline(
    state: RecorderState,
    link: LinkState,
    testing: bool,
    is_interrupted: bool,
    is_whole: bool,
) -> &'static str {
    use LinkState as L;
    use RecorderState as S;
    match (state, link) {
        (S::Acquiring, _) if is_interrupted => "Getting the microphone back",
        (S::Idle, _) if testing => "Testing: speak, and the level should move",
        (S::Idle, L::Online) => "Ready to record",
        (S::Idle, L::Reconnecting) => "Ready to record; the server is out of reach",
        (S::Acquiring, _) => "Please allow the microphone when your browser asks",
        (S::Recording, L::Online) => "Recording",
        (S::Recording, L::Reconnecting) => "Recording; the connection is being restored",
        (S::Paused, L::Online) => "Paused",
        (S::Paused, L::Reconnecting) => "Paused; the connection is being restored",
        (S::Finishing, L::Online) => "Saving your recording",
        (S::Finishing, L::Reconnecting) => "Saving; the connection is being restored",
        (S::Done, _) if is_whole => "Saved",
        (S::Done, _) => "Saved, with gaps",
        (S::Error, _) => "Not recording",
    }
}

/// Where everything recorded so far is. Empty when there is nothing to say.
pub(super) fn safety(view: &RecorderView) -> String {
    use LinkState as L;
    use RecorderState as S;
    match (view.state, view.link) {
        (S::Idle, L::Reconnecting) => out_of_reach(view),
        (S::Acquiring, L::Reconnecting) if view.recorded == Millis::ZERO => out_of_reach(view),
        (S::Idle | S::Acquiring, L::Online) if view.pending > 0 && view.unfinished.is_none() => {
            format!("{} from an earlier recording {}.", kept(view), place(view))
        }
        (S::Acquiring, L::Online) if view.recorded > Millis::ZERO => tally(view),
        (S::Idle | S::Acquiring, L::Online) => String::new(),
        (S::Recording | S::Paused, L::Online) => tally(view),
        (S::Recording, L::Reconnecting) => {
            format!("{} Keep talking{}", reconnecting(view), comfort(view))
        }
        (S::Acquiring | S::Paused, L::Reconnecting) if view.only_in_memory || has_flaws(view) => {
            reconnecting(view)
        }
        (S::Acquiring | S::Paused, L::Reconnecting) => {
            format!("{} Nothing is lost.", reconnecting(view))
        }
        (S::Finishing, L::Online) if view.pending > view.refused => {
            format!("Sending the rest: {}. Please keep this page open.", waiting(view))
        }
        (S::Finishing, L::Online) => format!(
            "{} has arrived. The server is making and checking the recording.",
            if has_flaws(view) { "What could be sent" } else { "Everything" }
        ),
        (S::Finishing, L::Reconnecting) => {
            format!("{} Please keep this page open{}", reconnecting(view), comfort(view))
        }
        (S::Done, _) => {
            view.receipt.as_ref().map_or_else(String::new, |receipt| outcome(view, receipt))
        }
        (S::Error, _) if view.pending > 0 => format!("{} {}.", kept(view), place(view)),
        (S::Error, _) if view.recorded > Millis::ZERO => tally(view),
        (S::Error, _) => String::new(),
    }
}

/// Before anything is recorded here.
fn out_of_reach(view: &RecorderView) -> String {
    if view.pending == 0 {
        return "Reconnecting: you can record all the same. It is kept on this device, and sent \
                when the server is back."
            .to_owned();
    }
    format!(
        "Reconnecting: {} of an earlier recording {} {}, to be sent when the server is back. You \
         can record all the same.",
        waiting(view),
        if view.pending == 1 { "is" } else { "are" },
        place(view)
    )
}

/// From when it is, how long, and how much of it is safe.
pub(super) fn unfinished(one: &Unfinished) -> String {
    if one.is_remote {
        return format!("From {}. What the server has of it is safe there.", one.started);
    }
    let recorded = format::duration(one.recorded);
    let safe = if one.pending == 0 {
        "all of it is safe on the server".to_owned()
    } else {
        let chunks = format::count(one.pending, "chunk", "chunks");
        let rest = format::span(one.pending_duration);
        let safe = format::duration(one.recorded.since(one.pending_duration));
        format!("{safe} is safe on the server, {chunks} ({rest}) on this device")
    };
    format!("From {}: {recorded} recorded, {safe}.", one.started)
}

/// The way out of what this browser holds and the server does not take; empty when there is nothing.
pub(super) fn kept_back(is_kept_back: bool) -> String {
    let line = "What the server does not have of a recording is on this device. You can save it as a \
                file, too; it stays here all the same.";
    if is_kept_back { line.to_owned() } else { String::new() }
}

/// What this version cannot read; empty when it can read everything.
pub(super) fn unreadable(pieces: u32) -> String {
    let pieces = match pieces {
        0 => return String::new(),
        1 => "1 stored piece cannot be read by this version; it is kept: save it".to_owned(),
        _ => format!(
            "{pieces} stored pieces cannot be read by this version; they are kept: save them"
        ),
    };
    pieces + " as a file."
}

/// How much can be recorded without a connection; empty when that is unknown, or short enough to be
/// warned of.
pub(super) fn room(room: Room) -> String {
    match room {
        Room::For(span) if span >= ROOM_SHORT => format!("Room for {} on this device", about(span)),
        Room::For(_) | Room::Unknown | Room::Nowhere => String::new(),
    }
}

/// To be told before anything is recorded.
pub(super) fn room_warning(room: Room) -> Option<Warning> {
    let (title, detail) = match room {
        Room::For(span) if span < ROOM_SHORT => (
            "This device is short of storage".to_owned(),
            format!(
                "Should the connection fail, there is room for {} only. Please free up some \
                 storage, or make sure that you stay connected.",
                about(span)
            ),
        ),
        Room::Nowhere => (
            "This browser stores nothing for this page".to_owned(),
            "You can record, but until the server has it, what you say is kept in this page only: \
             please stay connected and keep the page open. A window that is not private may help."
                .to_owned(),
        ),
        Room::For(_) | Room::Unknown => return None,
    };
    Some(Warning { title, detail })
}

fn about(span: Millis) -> String {
    let minutes = span.get() / 60_000;
    match minutes {
        _ if span >= ROOM_AMPLE => "days of recording".to_owned(),
        0 => "less than a minute".to_owned(),
        1..120 => format!("about {}", format::count(minutes, "minute", "minutes")),
        _ => format!("about {}", format::count(minutes / 60, "hour", "hours")),
    }
}

/// What another tab is doing, and what taking over means.
pub(super) fn elsewhere(one: &Elsewhere) -> String {
    if one.is_taking_over {
        return "The other tab is finishing its part…".to_owned();
    }
    format!(
        "A recording from {} is open in another tab of this browser. If you take over, it stops \
         there and goes on here.",
        one.started
    )
}

/// True when nothing is known that is not both on the server and in the recording.
pub(super) fn is_whole(view: &RecorderView) -> bool {
    let receipt = view.receipt.as_ref();
    !has_flaws(view) && receipt.is_none_or(Receipt::is_whole)
}

/// Not everything will come to the server.
const fn has_flaws(view: &RecorderView) -> bool {
    view.refused > 0 || view.has_losses
}

/// What the candidate may take away.
fn outcome(view: &RecorderView, receipt: &Receipt) -> String {
    let sum = format!(
        "{}, {}, {}",
        format::count(receipt.items, "item", "items"),
        format::span(receipt.duration),
        format::size(receipt.bytes)
    );
    if is_whole(view) {
        return format!("All of it is safe: {sum}.");
    }
    let mut message = ["What has arrived is kept on the server: ", &sum, ". "].concat();
    if !receipt.missing.is_empty() {
        message += &[&format::missing(&receipt.missing, false), ". "].concat();
    }
    if view.refused > 0 {
        let chunks = format::count(view.refused, "chunk", "chunks");
        message += &["The server did not take ", &chunks, ", kept on this device only. "].concat();
    }
    if receipt.left_out > 0 {
        message += &[&format::left_out(receipt.left_out), ". "].concat();
    }
    message + "Please tell whoever asked you for this recording."
}

fn tally(view: &RecorderView) -> String {
    let recorded = format::duration(view.recorded);
    if view.pending == 0 {
        let what = match (view.state, view.has_losses) {
            (_, true) => "what your browser handed over is",
            // The server may have failed to make the recording.
            (RecorderState::Error, false) => "what has arrived is",
            (_, false) => "all of it",
        };
        return format!("Recorded {recorded} · {what} safe on the server");
    }
    format!(
        "Recorded {recorded} · {} safe on the server · {} kept {}",
        format::duration(view.safe),
        format::span(view.pending_duration),
        if view.only_in_memory { "in this page only" } else { "on this device" }
    )
}

fn reconnecting(view: &RecorderView) -> String {
    let why = match view.server_trouble {
        Some(ServerTrouble::DiskFull) => " (the server's disk is full)",
        Some(ServerTrouble::Busy) => " (the server is busy)",
        None => "",
    };
    if view.pending == 0 {
        let what = if view.has_losses { "what your browser handed over" } else { "everything" };
        return format!("Reconnecting{why}: {what} so far is safe on the server.");
    }
    format!("Reconnecting{why}: {} {}.", kept(view), place(view))
}

/// Where the items are that the server does not have.
const fn place(view: &RecorderView) -> &'static str {
    if view.only_in_memory { "kept in this page only" } else { "kept safe on this device" }
}

const fn comfort(view: &RecorderView) -> &'static str {
    if view.only_in_memory || has_flaws(view) { "." } else { "; nothing is lost." }
}

/// `4 chunks (1 s) are`.
fn kept(view: &RecorderView) -> String {
    format!("{} {}", waiting(view), if view.pending == 1 { "is" } else { "are" })
}

/// `4 chunks (1 s)`.
fn waiting(view: &RecorderView) -> String {
    let chunks = format::count(view.pending, "chunk", "chunks");
    match view.pending_duration {
        Millis::ZERO => chunks,
        duration => format!("{chunks} ({})", format::span(duration)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Digest, Seq, SeqSet};

    fn view(state: RecorderState, link: LinkState, pending: u64) -> RecorderView {
        RecorderView {
            state,
            link,
            pending,
            pending_duration: Millis::new(pending * 250),
            recorded: Millis::new(12_250),
            safe: Millis::new(11_250),
            ..RecorderView::default()
        }
    }

    fn a_receipt(missing: SeqSet) -> Receipt {
        Receipt {
            items: 53,
            bytes: 190_400,
            duration: Millis::new(12_250),
            digest: Digest::from_bytes([1; 32]),
            missing,
            left_out: 0,
        }
    }

    #[test]
    fn while_recording_the_words_say_where_everything_is() {
        assert_eq!(
            safety(&view(RecorderState::Recording, LinkState::Online, 4)),
            "Recorded 0:12 · 0:11 safe on the server · 1 s kept on this device"
        );
        assert_eq!(
            safety(&view(RecorderState::Paused, LinkState::Online, 0)),
            "Recorded 0:12 · all of it safe on the server"
        );
        assert_eq!(
            safety(&view(RecorderState::Error, LinkState::Online, 0)),
            "Recorded 0:12 · what has arrived is safe on the server"
        );
    }

    #[test]
    fn without_a_connection_the_words_calm() {
        assert_eq!(
            safety(&view(RecorderState::Recording, LinkState::Reconnecting, 4)),
            "Reconnecting: 4 chunks (1 s) are kept safe on this device. Keep talking; nothing is lost."
        );
        assert_eq!(
            safety(&view(RecorderState::Paused, LinkState::Reconnecting, 1)),
            "Reconnecting: 1 chunk (1 s) is kept safe on this device. Nothing is lost."
        );
        assert_eq!(
            safety(&view(RecorderState::Recording, LinkState::Reconnecting, 0)),
            "Reconnecting: everything so far is safe on the server. Keep talking; nothing is lost."
        );
    }

    #[test]
    fn without_a_server_one_may_record_all_the_same() {
        let message = safety(&view(RecorderState::Idle, LinkState::Reconnecting, 0));
        assert!(message.starts_with("Reconnecting: you can record all the same."), "{message}");
        assert_eq!(
            safety(&view(RecorderState::Idle, LinkState::Reconnecting, 4)),
            "Reconnecting: 4 chunks (1 s) of an earlier recording are kept safe on this device, \
             to be sent when the server is back. You can record all the same."
        );
    }

    #[test]
    fn a_server_without_room_is_named_as_the_reason() {
        let view = RecorderView {
            server_trouble: Some(ServerTrouble::DiskFull),
            ..view(RecorderState::Recording, LinkState::Reconnecting, 4)
        };
        assert_eq!(
            safety(&view),
            "Reconnecting (the server's disk is full): 4 chunks (1 s) are kept safe on this \
             device. Keep talking; nothing is lost."
        );
    }

    #[test]
    fn what_only_memory_holds_is_never_called_safe() {
        for state in RecorderState::ALL {
            for link in [LinkState::Online, LinkState::Reconnecting] {
                let view = RecorderView { only_in_memory: true, ..view(state, link, 4) };
                let message = safety(&view);
                assert!(!message.contains("nothing is lost"), "{message}");
                assert!(!message.contains("safe on this device"), "{message}");
            }
        }
    }

    #[test]
    fn a_page_is_not_let_go_before_everything_has_arrived() {
        for link in [LinkState::Online, LinkState::Reconnecting] {
            let message = safety(&view(RecorderState::Finishing, link, 4));
            assert!(message.contains("4 chunks (1 s)"), "{message}");
            assert!(message.contains("keep this page open"), "{message}");
        }
    }

    #[test]
    fn nothing_is_called_safe_while_items_wait() {
        for state in RecorderState::ALL {
            for link in [LinkState::Online, LinkState::Reconnecting] {
                let message = safety(&view(state, link, 4));
                assert!(
                    !message.contains("all of it") && !message.contains("everything"),
                    "{message}"
                );
                assert!(!message.contains("Everything has arrived"), "{message}");
            }
        }
    }

    fn done(receipt: Receipt) -> RecorderView {
        RecorderView { receipt: Some(receipt), ..view(RecorderState::Done, LinkState::Online, 0) }
    }

    #[test]
    fn the_receipt_promises_only_what_is_there() {
        let whole = done(a_receipt(SeqSet::new()));
        assert_eq!(safety(&whole), "All of it is safe: 53 items, 12 s, 190 KB.");
        let holes: SeqSet = (5..=9).map(Seq::new).collect();
        assert_eq!(
            safety(&done(a_receipt(holes))),
            "What has arrived is kept on the server: 53 items, 12 s, 190 KB. Chunks 5–9 never \
             arrived. Please tell whoever asked you for this recording."
        );
        assert_eq!(
            safety(&done(Receipt { left_out: 2, ..a_receipt(SeqSet::new()) })),
            "What has arrived is kept on the server: 53 items, 12 s, 190 KB. 2 parts could not be put \
             into the file, or not wholly; the server keeps what arrived. Please tell whoever asked \
             you for this recording."
        );
        assert_eq!(
            safety(&RecorderView { refused: 1, pending: 1, ..whole }),
            "What has arrived is kept on the server: 53 items, 12 s, 190 KB. The server did not take 1 \
             chunk, kept on this device only. Please tell whoever asked you for this recording."
        );
    }

    /// Everything that can be wrong with a recording, alone.
    fn flawed() -> [RecorderView; 4] {
        let receipt = a_receipt(SeqSet::new());
        let hole: SeqSet = [Seq::new(3)].into_iter().collect();
        let whole = done(receipt.clone());
        [
            done(a_receipt(hole)),
            done(Receipt { left_out: 1, ..receipt }),
            RecorderView { refused: 1, pending: 1, ..whole.clone() },
            RecorderView { has_losses: true, ..whole },
        ]
    }

    #[test]
    fn what_is_not_whole_never_reads_as_safe() {
        for flawed in flawed() {
            for state in RecorderState::ALL {
                for link in [LinkState::Online, LinkState::Reconnecting] {
                    // The receipt comes with the end.
                    let receipt = flawed.receipt.clone().filter(|_| state == RecorderState::Done);
                    let view = RecorderView { state, link, receipt, ..flawed.clone() };
                    if is_whole(&view) {
                        continue;
                    }
                    let message = safety(&view).to_lowercase();
                    for promise in ["all of it", "everything", "nothing is lost"] {
                        assert!(!message.contains(promise), "{state:?}, {link:?}: {message}");
                    }
                    assert_ne!(headline(state, link, false, false, false), "Saved");
                }
            }
        }
    }

    #[test]
    fn what_the_server_refused_is_not_waited_for() {
        let view =
            RecorderView { refused: 2, ..view(RecorderState::Finishing, LinkState::Online, 2) };
        assert_eq!(
            safety(&view),
            "What could be sent has arrived. The server is making and checking the recording."
        );
        let message = safety(&RecorderView { pending: 3, ..view });
        assert!(message.starts_with("Sending the rest: 3 chunks"), "{message}");
    }

    #[test]
    fn every_state_has_its_own_headline() {
        let lines: std::collections::BTreeSet<_> = RecorderState::ALL
            .into_iter()
            .map(|state| headline(state, LinkState::Online, false, false, true))
            .collect();
        assert_eq!(lines.len(), RecorderState::ALL.len());
        assert_ne!(
            headline(RecorderState::Idle, LinkState::Online, true, false, true),
            headline(RecorderState::Idle, LinkState::Online, false, false, true)
        );
        assert_ne!(
            headline(RecorderState::Acquiring, LinkState::Online, false, true, true),
            headline(RecorderState::Acquiring, LinkState::Online, false, false, true)
        );
    }

    #[test]
    fn the_room_is_told_in_words() {
        for (secs, message) in [
            (30 * 60, "Room for about 30 minutes on this device"),
            (119 * 60 + 59, "Room for about 119 minutes on this device"),
            (14 * 3600 + 59 * 60, "Room for about 14 hours on this device"),
            (48 * 3600 - 1, "Room for about 47 hours on this device"),
            (48 * 3600, "Room for days of recording on this device"),
        ] {
            let span = Room::For(Millis::from_secs(secs));
            assert_eq!(room(span), message);
            assert_eq!(room_warning(span), None);
        }
    }

    #[test]
    fn too_little_room_and_none_at_all_are_warned_of_in_its_place() {
        let short = Room::For(ROOM_SHORT - Millis::new(1));
        for (place, message) in [
            (short, "room for about 29 minutes only"),
            (Room::For(Millis::from_secs(60)), "room for about 1 minute only"),
            (Room::For(Millis::ZERO), "room for less than a minute only"),
            (Room::Nowhere, "kept in this page only"),
        ] {
            let warning = room_warning(place).unwrap();
            assert!(warning.detail.contains(message), "{warning:?}");
            assert_eq!(room(place), "");
        }
        assert_eq!((room(Room::Unknown), room_warning(Room::Unknown)), (String::new(), None));
    }
}
