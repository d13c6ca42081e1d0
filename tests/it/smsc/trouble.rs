//! The simulated SMSC misbehaving as it is told to, and what is not lost by it.

use heliograph::carriers::smsc::config::{Shares, SmscConfig};
use heliograph::carriers::smsc::{AnswerFate, JournalEntry};
use rusmpp::values::MessageState;
use rusmpp::{Command, CommandId, CommandStatus, Pdu};

use super::client::{Client, message, seen, submitted, with_reference};
use super::{PHONE, start};

fn config(shares: Shares) -> SmscConfig {
    SmscConfig { shares, journal_entries_max: 100, ..SmscConfig::default() }
}

#[tokio::test]
async fn refusals_and_throttling_are_the_whole_answer() {
    let table = [
        (Shares { refused: 1.0, ..Shares::default() }, CommandStatus::EsmeRsubmitfail),
        (Shares { throttled: 1.0, ..Shares::default() }, CommandStatus::EsmeRthrottled),
    ];
    for (shares, status) in table {
        let smsc = start(config(shares)).await;
        let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
        assert_eq!(client.submit(message(PHONE, "x")).await, Err(status));
        assert_eq!(smsc.journal(), Vec::<JournalEntry>::new());
    }
}

#[tokio::test]
async fn above_the_rate_parts_are_throttled() {
    let smsc =
        start(SmscConfig { parts_per_s_max: Some(0.001), ..config(Shares::default()) }).await;
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    assert_eq!(client.submit(message("447700900002", "x")).await, Ok("1000".to_owned()));
    client.receipt().await;
    let refused = client.submit(message(PHONE, "x")).await;
    assert_eq!(refused, Err(CommandStatus::EsmeRthrottled));
    let mut other = Client::transceiver(smsc.local_addr(), "other").await;
    assert!(other.submit(message(PHONE, "x")).await.is_ok(), "each system id has its own rate");
}

#[tokio::test]
async fn a_lost_answer_was_taken_and_its_receipt_comes() {
    let smsc = start(config(Shares { answer_lost: 1.0, ..Shares::default() })).await;
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    client.send(with_reference(message(PHONE, "x"), 5)).await;
    assert_eq!(client.receipt().await.reference, Some(5));
    assert_eq!(smsc.journal()[0].answer, AnswerFate::Lost);
    assert_eq!(smsc.stats().answers_lost, 1);
}

#[tokio::test]
async fn a_dropped_connection_took_the_message_or_did_not_and_the_journal_tells() {
    let smsc = start(config(Shares { dropped: 1.0, ..Shares::default() })).await;
    for reference in 0..16 {
        let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
        client.send(with_reference(message(PHONE, "x"), reference)).await;
        while let Some(command) = client.next_or_end().await {
            assert_eq!(command.id(), CommandId::DeliverSm, "receipts of earlier ones, no answer");
        }
    }
    let taken = smsc.journal();
    assert!((1..16).contains(&taken.len()), "{} of 16 were taken", taken.len());
    assert!(taken.iter().all(|entry| entry.answer == AnswerFate::Dropped));
    assert_eq!(smsc.stats().drops, 16);
    // Every one that was taken still gets its receipt, on another connection.
    smsc.set_shares(Shares::default());
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    let mut receipts = Vec::new();
    while receipts.len() < taken.len() {
        receipts.push(client.receipt().await.reference);
    }
    receipts.sort_unstable();
    let mut expected: Vec<_> = taken.iter().map(|entry| entry.reference).collect();
    expected.sort_unstable();
    assert_eq!(receipts, expected);
}

#[tokio::test]
async fn receipts_come_twice_early_reordered_or_not_at_all() {
    let smsc = start(config(Shares { receipt_duplicated: 1.0, ..Shares::default() })).await;
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    client.submit(message(PHONE, "x")).await.unwrap();
    assert_eq!(client.receipt().await, client.receipt().await);

    smsc.set_shares(Shares { receipt_early: 1.0, ..Shares::default() });
    client.send(message(PHONE, "x")).await;
    let receipt = client.receipt().await;
    assert_eq!(receipt.text_id, submitted(&client.next().await).ok());

    smsc.set_shares(Shares { receipt_reordered: 1.0, ..Shares::default() });
    client.submit(message(PHONE, "x")).await.unwrap();
    assert_eq!(client.receipt().await.tlv_state, Some(MessageState::Delivered));
    assert_eq!(client.receipt().await.tlv_state, Some(MessageState::Enroute));

    smsc.set_shares(Shares { undelivered: 1.0, ..Shares::default() });
    client.submit(message(PHONE, "x")).await.unwrap();
    assert_eq!(client.receipt().await.stat.as_deref(), Some("UNDELIV"));

    smsc.set_shares(Shares { receipt_missing: 1.0, ..Shares::default() });
    client.submit(message(PHONE, "x")).await.unwrap();
    assert_eq!(smsc.stats().waiting, 0, "none is planned");
}

#[tokio::test]
async fn magic_recipients_play_their_script_over_smpp() {
    let smsc = start(config(Shares::default())).await;
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    let mut stat = async |to: &str| {
        client.submit(message(to, "x")).await.unwrap();
        client.receipt().await.stat.unwrap()
    };
    assert_eq!(stat("9991000000000").await, "DELIVRD");
    assert_eq!(stat("9992010000000").await, "UNDELIV");
    assert_eq!(stat("9992020000000").await, "EXPIRED");
    assert_eq!(stat("9992030000000").await, "REJECTD");
    assert_eq!(stat("9992040000000").await, "UNKNOWN");
    let refused = client.submit(message("9994030000000", "x")).await;
    assert_eq!(refused, Err(CommandStatus::EsmeRinvdstadr));
    for _ in 0..2 {
        let throttled = client.submit(message("9995020000000", "x")).await;
        assert_eq!(throttled, Err(CommandStatus::EsmeRthrottled));
    }
    assert!(client.submit(message("9995020000000", "x")).await.is_ok(), "the third time");
    assert_eq!(client.receipt().await.stat.as_deref(), Some("DELIVRD"));
    client.send(message("9996040000000", "x")).await;
    assert!(client.next_or_end().await.is_none(), "dropped");
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    assert_eq!(client.receipt().await.stat.as_deref(), Some("DELIVRD"), "it was taken");
}

#[tokio::test]
async fn a_refused_or_unanswered_or_cut_off_receipt_comes_again() {
    let settings =
        SmscConfig { redelivery_delay_ms: 1, deliver_timeout_ms: 20, ..config(Shares::default()) };
    let smsc = start(settings).await;
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    let id = client.submit(message(PHONE, "x")).await.unwrap();
    let (sequence, first) = client.next_deliver().await;
    client.answer_deliver(sequence, CommandStatus::EsmeRsyserr).await;
    let (_, second) = client.next_deliver().await; // not answered at all
    let (_, third) = client.next_deliver().await;
    smsc.drop_connections();
    while client.next_or_end().await.is_some() {}
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    let fourth = client.receipt().await;
    for deliver in [first, second, third] {
        assert_eq!(seen(&deliver).text_id.as_ref(), Some(&id));
    }
    assert_eq!(fourth.text_id, Some(id));
}

#[tokio::test]
async fn no_more_receipts_are_in_flight_than_the_window() {
    let smsc = start(SmscConfig { window: 2, ..config(Shares::default()) }).await;
    let mut client = Client::transceiver(smsc.local_addr(), "shop").await;
    let mut sequences = Vec::new();
    for _ in 0..5 {
        client.send(message(PHONE, "x")).await;
    }
    let (mut answers, mut open): (u32, Vec<Command>) = (0, Vec::new());
    while answers < 5 || open.len() < 2 {
        let command = client.next().await;
        match command.id() {
            CommandId::SubmitSmResp => answers += 1,
            _ => open.push(command),
        }
    }
    // An enquire_link is answered behind anything else that was due: nothing was.
    assert_eq!(client.ask(Pdu::EnquireLink).await.id(), CommandId::EnquireLinkResp);
    while let Some(command) = open.pop() {
        sequences.push(command.sequence_number());
        client.answer_deliver(command.sequence_number(), CommandStatus::EsmeRok).await;
        if sequences.len() + open.len() < 5 {
            open.push(client.next().await);
        }
    }
    sequences.sort_unstable();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn the_journal_counts_what_was_submitted_twice_and_keeps_no_text() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("journal");
    let settings = SmscConfig { journal_file: Some(file.clone()), ..config(Shares::default()) };
    let smsc = start(settings).await;
    let mut transmitter = Client::connect(smsc.local_addr()).await;
    assert_eq!(transmitter.bind_transmitter("shop").await, CommandStatus::EsmeRok);
    for (reference, text) in [(1, "secret"), (2, "secret"), (1, "secret"), (1, "other")] {
        transmitter.submit(with_reference(message(PHONE, text), reference)).await.unwrap();
    }
    let occurrences: Vec<_> = smsc.journal().iter().map(|entry| entry.occurrence).collect();
    assert_eq!(occurrences, [1, 1, 2, 1]);
    let summary = smsc.journal_summary();
    assert_eq!((summary.taken, summary.distinct, summary.repeated), (4, 3, 1));
    // Whatever was answered is in the file.
    let lines = std::fs::read_to_string(&file).unwrap();
    assert_eq!(lines.lines().count(), 4);
    assert!(lines.lines().all(|line| line.contains(r#""answer":"answered""#)), "{lines}");
    assert!(!lines.contains("secret"));
}
