//! Messages that no receipt comes for: the SMSC is asked what became of them.

use heliograph::carriers::smsc::config::IdForm;

use super::conventions::ordinary;
use super::*;

/// Takes messages and never reports on them.
async fn silent_smsc(stop: &CancellationToken) -> SmscHandle {
    let config = SmscConfig {
        shares: Shares { receipt_missing: 1.0, undelivered: 0.0, ..Default::default() },
        id_form: IdForm::HexThenDecimal,
        ..SmscConfig::default()
    };
    Smsc::start(config, outside_world(), stop.child_token()).await.unwrap()
}

fn asking(smsc: &SmscHandle) -> impl Fn() -> Box<dyn Carrier> + Send + Sync + 'static {
    let address = smsc.local_addr().to_string();
    move || {
        let password = secrecy::SecretString::from("secret");
        let mut config = SmppConfig::new("test", &address, "heliograph", password);
        config.query_sm = true;
        Box::new(SmppCarrier::new(config).unwrap())
    }
}

both_stores! {
    async fn a_message_whose_receipt_is_overdue_is_asked_about(house: TestHouse) {
        let stop = CancellationToken::new();
        let smsc = silent_smsc(&stop).await;
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Smpp).await;
        let mut events = subscribe(&house, &ctx).await;
        let mut items = ordinary(150);
        items.push(NewMessage { text: "x".repeat(400), ..to("+4915123456789") });
        let running = Running::start(&house, asking(&smsc));
        let sent = ids(&send(&ctx, batch("k", items)).await);
        until_all(&mut events, &sent, &[MessageStatus::Sent]).await;
        // One message is one whose answer to the second part was lost, say: it has an id, and is
        // uncertain.
        let uncertain = sent[0];
        let became = vec![house.now().0.into(), uncertain.0.into()];
        let changed = house
            .execute("UPDATE message SET status = 90, due_at_ms = $1 WHERE id = $2", became)
            .await;
        assert_eq!(changed, 1);
        // By twenty seconds at a time; they are asked about when ten minutes are over.
        let turning = turning(&house);
        until_all(&mut events, &sent, &[MessageStatus::Delivered]).await;
        drop(turning);
        running.stop().await;
        let long = stored(&house, &ctx, sent[150]).await;
        assert_eq!((long.parts, long.parts_delivered), (3, 3));
        let waited_ms = |row: &message::Model| {
            row.finished_at_ms.unwrap().since(row.sent_at_ms.unwrap())
        };
        for id in [sent[0], sent[75], sent[150]] {
            let row = stored(&house, &ctx, id).await;
            assert!(waited_ms(&row) >= 600_000, "asked after {} ms", waited_ms(&row));
        }
        smsc.stop().await;
    }
}

#[tokio::test]
async fn a_carrier_is_not_asked_unless_it_is_switched_on() {
    let stop = CancellationToken::new();
    let smsc = silent_smsc(&stop).await;
    let shutdown = CancellationToken::new();
    let start = |carrier: Box<dyn Carrier>| carrier.start(outside_world(), shutdown.clone());
    let (off, on) = (start(smpp_to(&smsc)()), start(asking(&smsc)()));
    assert_eq!((off.queries.is_some(), on.queries.is_some()), (false, true));
    shutdown.cancel();
    smsc.stop().await;
}
