//! The spool as the last release wrote it, in a browser and without a server, is read to its last item.
//! `end2end/tests/upgrade.spec.ts` gives the same one to a page.

#![expect(clippy::unwrap_used, reason = "what a test cannot unwrap is a failure of that test")]

use protocol::sender::SessionRecord;
use protocol::{ClientMessage, Item, Seq, Version};
use serde_json::Value;

/// Bytes are `{"bytes": …}` in base64.
const SPOOL: &str = include_str!("golden/spool-v1.json");

fn spool() -> Value {
    serde_json::from_str(SPOOL).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    unbase64(value["bytes"].as_str().unwrap())
}

fn unbase64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|digit| *digit != b'=') {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => panic!("no base64: {text}"),
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}

fn expect_item(value: &Value, seq: u64) {
    let item = Item::of_frame(&bytes(&value["frame"])).unwrap();
    assert_eq!((item.seq, item.check()), (Seq::new(seq), Ok(())));
    assert!(value["span"].is_u64());
}

fn expect_session(id: &str, value: &Value) -> SessionRecord {
    let record = SessionRecord::decode(&bytes(&value["record"])).unwrap();
    assert_eq!(record.session.to_string(), id);
    let dispatch = record.dispatch().unwrap();
    let stored = value["hellos"].as_array().unwrap();
    assert_eq!(stored.len(), dispatch.hellos.len());
    for (stored, mut hello) in stored.iter().zip(dispatch.hellos) {
        hello.version = Version::V1;
        assert_eq!(ClientMessage::decode(&bytes(stored)), Ok(ClientMessage::Hello(hello)));
    }
    record
}

#[test]
fn its_session_and_all_its_items_are_read() {
    let spool = spool();
    let sessions = spool["sessions"].as_array().unwrap();
    let [Value::String(id), session] = &sessions[0].as_array().unwrap()[..] else {
        panic!("no session");
    };
    expect_session(id, session);
    let items = spool["items"].as_array().unwrap();
    assert_eq!(items.len(), 14);
    for (place, stored) in (0..).zip(items) {
        assert_eq!(stored[0], serde_json::json!([id, place]));
        expect_item(&stored[1], place);
    }
}

#[test]
fn what_its_page_had_put_aside_follows_without_a_gap() {
    let spool = spool();
    let notes = spool["localStorage"].as_array().unwrap();
    let is_stash = |note: &&Value| note[0].as_str().unwrap().starts_with("holdfast-stash-");
    let stash = notes.iter().find(is_stash).unwrap();
    let values: Vec<Value> = serde_json::from_str(stash[1].as_str().unwrap()).unwrap();
    let id = stash[0].as_str().unwrap().strip_prefix("holdfast-stash-").unwrap();
    let record = expect_session(id, &values[0]);
    for (seq, value) in (14..).zip(&values[1..]) {
        expect_item(value, seq);
    }
    assert_eq!(record.next_seq, Seq::new(14 + values.len() as u64 - 1));
}
