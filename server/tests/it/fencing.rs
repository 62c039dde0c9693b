//! An older writer's commands meet the newer one's hello in the same moment: whatever comes first, the
//! older one changes nothing after that.

use ledger::conformance::POLICY;
use ledger::{By, Command, Refused};
use protocol::event::Transport;
use protocol::message::Opening;
use protocol::{Epoch, Seq, SeqSet, SessionId, SessionStatus, TokenHash, UnixMillis};
use serde_json::{Value, json};
use server::store::{Store, StoreError};

use crate::harness::{Candidate, TestServer, chunk};

const ROUNDS: u8 = 100;
const NOW: UnixMillis = UnixMillis::new(1_795_257_600_000);
const TOKEN: TokenHash = TokenHash([1; 32]);

fn open(opening: Opening) -> Command {
    Command::Open { token: TOKEN, opening, transport: Transport::WebSocket }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_older_writer_gets_through_after_the_newer_ones_hello() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("race.db"), None, POLICY).await.unwrap();
    let old = By::Writer(Epoch::new(1));
    let finish = Command::Finish { by: old, last_seq: None::<Seq>, lost: SeqSet::new() };
    for (kind, command) in
        [(0, finish), (1, Command::Discard { by: old }), (2, Command::Heartbeat { by: old })]
    {
        for round in 0..ROUNDS {
            let id = SessionId::from_parts(NOW, [kind, round, 0, 0, 0, 0, 0, 0, 0, 0]);
            store.carry_out(id, &open(Opening::New { started_at: NOW }), NOW).await.unwrap();
            let (newer, older) = (store.clone(), store.clone());
            let late = command.clone();
            let hello =
                tokio::spawn(
                    async move { newer.carry_out(id, &open(Opening::Existing), NOW).await },
                );
            let late = tokio::spawn(async move { older.carry_out(id, &late, NOW).await });
            let (hello, late) = (hello.await.unwrap(), late.await.unwrap());
            let status = store.session(id).await.unwrap().status;
            match (hello, late) {
                (Ok(opened), Err(StoreError::Refused(Refused::Fenced))) => {
                    assert_eq!(opened.after.epoch, Epoch::new(2));
                    assert_eq!(status, SessionStatus::Active, "{command:?}");
                }
                // It came first.
                (_, Ok(applied)) => assert_eq!(applied.after.epoch, Epoch::new(1), "{command:?}"),
                (hello, late) => panic!("{command:?}: {hello:?}, {late:?}"),
            }
        }
    }
}

async fn post(
    server: &TestServer,
    candidate: &Candidate,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let request = server.http.post(server.url(path)).json(body);
    let answer = request.bearer_auth(candidate.token.expose()).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn requests_that_name_their_epoch_are_fenced_off_by_a_newer_writer() {
    let server = TestServer::start().await;
    let candidate = Candidate::new(1);
    let (mut older, welcome) = candidate.open(&server).await;
    older.deliver(vec![chunk(0, 0, b"something")]).await;
    let _newer = candidate.open(&server).await;
    let old = json!({ "epoch": welcome.epoch.get() });
    for action in ["keepalive", "finish", "discard"] {
        let path = format!("/api/sessions/{}/{action}", candidate.session);
        let (status, problem) = post(&server, &candidate, &path, &old).await;
        assert_eq!((status, &problem["type"]), (409, &"fenced".into()), "{action}");
        let bad = json!({ "epoch": "the newest" });
        let (status, _) = post(&server, &candidate, &path, &bad).await;
        assert_eq!(status, 400, "{action}");
    }
    assert_eq!(server.session(candidate.session).await["status"], "active");
}
