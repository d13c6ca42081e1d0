//! Submissions: fields, order, refusals, throttling, lost answers, cut connections.

use entity::time::UnixMillis;
use heliograph::carriers::smpp::{SmppConfig, Window};
use heliograph::carriers::{CarrierError, CarrierErrorKind, NotSubmitted, PartOutcome};
use rusmpp::{CommandId, CommandStatus, Pdu};

use super::client::{Client, accepted, config, message};
use super::server::{Server, soon};

fn not_submitted(why: NotSubmitted) -> PartOutcome {
    PartOutcome::NotSubmitted(why)
}

fn refused(code: u32) -> PartOutcome {
    PartOutcome::Refused(CarrierError { kind: CarrierErrorKind::CommandStatus, code })
}

/// A bound pair with this window.
async fn pair(window: u16) -> (Server, super::server::Peer, Client) {
    let server = Server::start().await;
    let config = SmppConfig { window: Window::Fixed(window), ..config(&server) };
    let mut client = Client::start(config);
    let peer = server.bound().await;
    client.bound(1).await;
    (server, peer, client)
}

#[tokio::test]
async fn a_message_is_submitted_and_its_carrier_id_comes_back() {
    let (_server, mut peer, mut client) = pair(10).await;
    client.submit(message(7, 1)).await;
    let (number, submit) = peer.submit().await;
    assert_eq!(submit.source_addr.as_str(), "Acme");
    assert_eq!(submit.destination_addr.as_str(), "15551230000");
    assert_eq!(submit.short_message().to_vec(), b"text");
    assert_eq!(u8::from(submit.esm_class), 0);
    assert_eq!(u8::from(submit.registered_delivery), 1);
    peer.accept(number, "abc").await;
    assert_eq!(client.result().await, (7, vec![accepted("abc")]));
}

#[tokio::test]
async fn the_parts_of_a_message_leave_together_in_order_and_end_in_one_result() {
    let (_server, mut peer, mut client) = pair(3).await;
    client.submit(message(1, 4)).await;
    client.submit(message(2, 2)).await;
    let mut headers = Vec::new();
    let mut numbers = Vec::new();
    for index in 0..6 {
        let (number, submit) = peer.submit().await;
        assert_eq!(u8::from(submit.esm_class), 0x40);
        headers.push(submit.short_message().to_vec()[4..6].to_vec());
        numbers.push(number);
        // The window is 3: the fourth leaves once the first is answered, and so on.
        if index >= 2 {
            peer.accept(numbers[index - 2], &format!("id{}", index - 2)).await;
        }
    }
    assert_eq!(headers, [[4, 1], [4, 2], [4, 3], [4, 4], [2, 1], [2, 2]]);
    let first = ["id0", "id1", "id2", "id3"].map(accepted).to_vec();
    assert_eq!(client.result().await, (1, first));
    // Out of order.
    peer.accept(numbers[5], "id5").await;
    peer.accept(numbers[4], "id4").await;
    assert_eq!(client.result().await, (2, vec![accepted("id4"), accepted("id5")]));
}

#[tokio::test]
async fn no_more_than_the_window_waits_for_answers() {
    let (_server, mut peer, client) = pair(2).await;
    for number in 1..=3 {
        client.submit(message(number, 1)).await;
    }
    let (first, _) = peer.submit().await;
    peer.submit().await;
    // Were the window wider, the third would come before this answer.
    peer.send(CommandStatus::EsmeRok, 900, Pdu::EnquireLink).await;
    assert_eq!(peer.expect(CommandId::EnquireLinkResp).await, (CommandStatus::EsmeRok, 900));
    peer.accept(first, "a").await;
    peer.submit().await;
}

#[tokio::test]
async fn a_refusal_is_told_with_its_status() {
    let (_server, mut peer, mut client) = pair(10).await;
    client.submit(message(1, 1)).await;
    let (number, _) = peer.submit().await;
    peer.refuse(number, CommandStatus::EsmeRinvdstadr).await;
    assert_eq!(client.result().await, (1, vec![refused(0x0B)]));
    client.submit(message(2, 1)).await;
    let (number, _) = peer.submit().await;
    peer.send(CommandStatus::Other(0x410), number, Pdu::GenericNack).await;
    assert_eq!(client.result().await, (2, vec![refused(0x410)]));
}

#[tokio::test]
async fn after_a_refused_part_the_rest_stays_home() {
    let (_server, mut peer, mut client) = pair(1).await;
    client.submit(message(1, 3)).await;
    client.submit(message(2, 1)).await;
    let (number, _) = peer.submit().await;
    peer.refuse(number, CommandStatus::EsmeRsubmitfail).await;
    let rest = not_submitted(NotSubmitted::EarlierPart);
    assert_eq!(client.result().await, (1, vec![refused(0x45), rest.clone(), rest]));
    let (number, submit) = peer.submit().await;
    assert_eq!(submit.short_message().to_vec(), b"text", "the next message");
    peer.accept(number, "b").await;
    assert_eq!(client.result().await, (2, vec![accepted("b")]));
}

#[tokio::test]
async fn a_throttled_part_leaves_again_and_is_no_result() {
    let (_server, mut peer, mut client) = pair(10).await;
    client.submit(message(1, 2)).await;
    let (first, _) = peer.submit().await;
    let (second, _) = peer.submit().await;
    peer.refuse(first, CommandStatus::EsmeRthrottled).await;
    client.waiting(1).await;
    peer.accept(second, "b").await;
    let (again, submit) = peer.submit().await;
    assert_eq!(submit.short_message().to_vec()[4..6], [2, 1], "the throttled part");
    assert!(again > second);
    client.waiting(0).await;
    peer.accept(again, "a").await;
    assert_eq!(client.result().await, (1, vec![accepted("a"), accepted("b")]));
}

#[tokio::test]
async fn one_full_queue_holds_up_nothing_else_and_is_no_result() {
    let (_server, mut peer, mut client) = pair(10).await;
    client.submit(message(1, 1)).await;
    let (number, _) = peer.submit().await;
    peer.refuse(number, CommandStatus::EsmeRmsgqful).await;
    for number in 2..50 {
        client.submit(message(number, 1)).await;
        let (sequence_number, submit) = peer.submit().await;
        assert_ne!(submit.tlvs().len(), 0);
        peer.accept(sequence_number, "x").await;
        assert_eq!(client.result().await.0, number);
    }
    client.waiting(1).await;
    client.shutdown.cancel();
    let why = not_submitted(NotSubmitted::ShuttingDown);
    assert_eq!(client.result().await, (1, vec![why]));
}

#[tokio::test]
async fn a_lost_answer_costs_one_slot_until_its_time_is_up() {
    let server = Server::start().await;
    let config =
        SmppConfig { window: Window::Fixed(2), response_timeout_ms: 1_500, ..config(&server) };
    let mut client = Client::start(config);
    let mut peer = server.bound().await;
    client.bound(1).await;
    client.submit(message(1, 1)).await;
    let (lost, _) = peer.submit().await;
    for number in 2..20 {
        client.submit(message(number, 1)).await;
        let (sequence_number, _) = peer.submit().await;
        peer.accept(sequence_number, "x").await;
        assert_eq!(client.result().await, (number, vec![accepted("x")]));
    }
    assert_eq!(client.result().await, (1, vec![PartOutcome::Uncertain]));
    // Its answer is late: nobody waits for it, and the slot is free already.
    peer.accept(lost, "late").await;
    client.submit(message(20, 1)).await;
    client.submit(message(21, 1)).await;
    let (first, _) = peer.submit().await;
    let (second, _) = peer.submit().await;
    peer.accept(second, "b").await;
    assert_eq!(client.result().await, (21, vec![accepted("b")]));
    peer.accept(first, "a").await;
    assert_eq!(client.result().await, (20, vec![accepted("a")]));
}

#[tokio::test]
async fn when_the_last_link_is_cut_only_what_left_is_uncertain() {
    let (_server, mut peer, mut client) = pair(2).await;
    for number in 1..=4 {
        client.submit(message(number, 1)).await;
    }
    let (number, _) = peer.submit().await;
    peer.submit().await;
    peer.accept(number, "a").await;
    assert_eq!(client.result().await, (1, vec![accepted("a")]));
    // The third has left in the first's place; the fourth has not.
    peer.submit().await;
    drop(peer);
    let mut results = vec![client.result().await, client.result().await, client.result().await];
    results.sort_by_key(|(number, _)| *number);
    let disconnected = not_submitted(NotSubmitted::Disconnected);
    assert_eq!(
        results,
        [
            (2, vec![PartOutcome::Uncertain]),
            (3, vec![PartOutcome::Uncertain]),
            (4, vec![disconnected])
        ]
    );
}

#[tokio::test]
async fn a_message_cut_in_the_middle_tells_of_each_part() {
    let (_server, mut peer, mut client) = pair(1).await;
    client.submit(message(1, 3)).await;
    let (number, _) = peer.submit().await;
    peer.accept(number, "a").await;
    peer.submit().await;
    drop(peer);
    let parts =
        vec![accepted("a"), PartOutcome::Uncertain, not_submitted(NotSubmitted::Disconnected)];
    assert_eq!(client.result().await, (1, parts));
}

#[tokio::test]
async fn what_one_link_had_not_sent_leaves_on_another_with_its_parts_in_order() {
    let server = Server::start().await;
    let config = SmppConfig { window: Window::Fixed(1), binds: 2, ..config(&server) };
    let mut client = Client::start(config);
    let (mut one, mut other) = (server.bound().await, server.bound().await);
    client.bound(2).await;
    client.submit(message(1, 3)).await;
    client.submit(message(2, 3)).await;
    let (first, _) = one.submit().await;
    let (second, submit) = other.submit().await;
    // Which message went where is chance; the reference tells.
    let numbers = if user_reference(&submit) == 2 { (1, 2) } else { (2, 1) };
    one.accept(first, "a1").await;
    one.submit().await;
    drop(one);
    other.accept(second, "b1").await;
    for id in ["b2", "b3", "a3"] {
        let (number, submit) = other.submit().await;
        let part = submit.short_message().to_vec()[5];
        assert_eq!(part.to_string(), id[1..], "{id}");
        other.accept(number, id).await;
    }
    let mut results = vec![client.result().await, client.result().await];
    results.sort_by_key(|(number, _)| if *number == numbers.0 { 0 } else { 1 });
    let cut = vec![accepted("a1"), PartOutcome::Uncertain, accepted("a3")];
    let whole = ["b1", "b2", "b3"].map(accepted).to_vec();
    assert_eq!(results, [(numbers.0, cut), (numbers.1, whole)]);
}

fn user_reference(submit: &rusmpp::pdus::SubmitSm) -> u16 {
    use rusmpp::tlvs::TlvValue;
    match submit.tlvs()[0].value() {
        Some(TlvValue::UserMessageReference(reference)) => reference.value,
        other => panic!("expected our reference, came {other:?}"),
    }
}

#[tokio::test]
async fn without_a_link_a_submission_comes_back_at_once() {
    let server = Server::start().await;
    let mut client = Client::start(config(&server));
    client.submit(message(1, 2)).await;
    let why = not_submitted(NotSubmitted::Disconnected);
    assert_eq!(client.result().await, (1, vec![why.clone(), why]));
}

#[tokio::test]
async fn what_has_expired_does_not_leave() {
    let (_server, mut peer, mut client) = pair(10).await;
    let mut late = message(1, 2);
    late.expires_at = UnixMillis(1);
    client.submit(late).await;
    let why = not_submitted(NotSubmitted::Expired);
    assert_eq!(client.result().await, (1, vec![why.clone(), why]));
    client.submit(message(2, 1)).await;
    let (_, submit) = peer.submit().await;
    assert_eq!(user_reference(&submit), 2);
}

#[tokio::test]
async fn thousands_are_pipelined_without_a_stall() {
    const MESSAGES: u128 = 5_000;
    let (_server, mut peer, mut client) = pair(50).await;
    let carrier = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            let (number, submit) = peer.submit().await;
            peer.accept(number, &user_reference(&submit).to_string()).await;
        }
        peer
    });
    let submissions = client.handle.submissions.clone();
    let submitting = tokio::spawn(async move {
        for number in 0..MESSAGES {
            submissions.send(message(number, 1)).await.unwrap();
        }
    });
    let mut seen = vec![false; MESSAGES as usize];
    for _ in 0..MESSAGES {
        let (number, parts) = client.result().await;
        assert_eq!(parts, [accepted(&number.to_string())]);
        assert!(!std::mem::replace(&mut seen[number as usize], true), "{number} twice");
    }
    soon("the carrier", carrier).await.unwrap();
    soon("submitting", submitting).await.unwrap();
}

#[tokio::test]
async fn throttling_two_of_a_hundred_loses_and_doubles_nothing() {
    const MESSAGES: u128 = 1_000;
    let (_server, mut peer, mut client) = pair(50).await;
    let carrier = tokio::spawn(async move {
        let mut received = 0;
        let mut accepted = 0;
        while accepted < MESSAGES {
            let (number, _) = peer.submit().await;
            received += 1;
            if received % 50 == 0 {
                peer.refuse(number, CommandStatus::EsmeRthrottled).await;
            } else {
                accepted += 1;
                peer.accept(number, "x").await;
            }
        }
        (peer, received)
    });
    for number in 0..MESSAGES / 2 {
        client.submit(message(number, 1)).await;
    }
    for _ in 0..MESSAGES / 2 {
        assert_eq!(client.result().await.1, [accepted("x")]);
    }
    for number in MESSAGES / 2..MESSAGES {
        client.submit(message(number, 1)).await;
    }
    for _ in 0..MESSAGES / 2 {
        assert_eq!(client.result().await.1, [accepted("x")]);
    }
    let (_peer, received) = soon("the carrier", carrier).await.unwrap();
    assert_eq!(received, MESSAGES + MESSAGES / 49, "every refusal was tried again once");
}
