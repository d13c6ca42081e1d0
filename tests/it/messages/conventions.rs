//! How carriers write what they report: their own tables of errors, the forms of their ids.

use std::net::SocketAddr;

use heliograph::carriers::smsc::config::IdForm;

use super::*;

/// Gives a carrier its stored settings.
pub(super) async fn set(house: &TestHouse, carrier_id: CarrierId, settings: &str) {
    let values = vec![settings.into(), carrier_id.0.into()];
    house
        .execute("UPDATE carrier SET settings = $1, version = version + 1 WHERE id = $2", values)
        .await;
}

both_stores! {
    async fn a_carriers_own_error_table_decides_for_it_alone(house: TestHouse) {
        const TABLE: &str = r#"{"error_table": [
            {"source": "command_status", "value": 8, "code": "CARRIER_REFUSED_CONTENT"},
            {"source": "command_status", "value": 1273, "code": "CARRIER_REFUSED_TEMPORARILY"},
            {"source": "receipt_error", "value": 998, "code": "RECEIPT_CALL_BARRED"}
        ]}"#;
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Simulator).await;
        let errors = async |key: &str| {
            // Refused for now (8), by a status of the vendor's (0x4F9), undelivered with err 998
            // and with err 6.
            let items = ["401", "406", "216", "201"].map(|script| to(&format!("+999{script}0000001")));
            let sent = ids(&send(&ctx, batch(key, items.to_vec())).await);
            let mut events = subscribe(&house, &ctx).await;
            let running = simulator(&house);
            let turning = turning(&house);
            until_all(&mut events, &sent, &[MessageStatus::Failed, MessageStatus::Undelivered]).await;
            drop(turning);
            running.stop().await;
            let mut ends = Vec::new();
            for id in sent {
                let row = stored(&house, &ctx, id).await;
                ends.push((row.error_code.unwrap(), row.attempt));
            }
            ends
        };
        let told = |ends: [(&str, i16); 4]| ends.map(|(code, attempt)| (code.to_owned(), attempt));
        assert_eq!(
            errors("default").await,
            told([
                ("CARRIER_REFUSED_TEMPORARILY", 6),
                ("CARRIER_REFUSED", 1),
                ("RECEIPT_UNDELIVERED", 1),
                ("RECEIPT_ABSENT_SUBSCRIBER", 1),
            ])
        );
        set(&house, SIMULATOR_CARRIER_ID, TABLE).await;
        assert_eq!(
            errors("own").await,
            told([
                ("CARRIER_REFUSED_CONTENT", 1),
                ("CARRIER_REFUSED_TEMPORARILY", 6),
                ("RECEIPT_CALL_BARRED", 1),
                ("RECEIPT_ABSENT_SUBSCRIBER", 1),
            ])
        );
    }

    async fn the_form_of_receipt_ids_is_learned_and_learned_again(house: TestHouse) {
        let stop = CancellationToken::new();
        let smsc = smsc(IdForm::HexThenDecimal, None, 1_000_000, &stop).await;
        let address = smsc.local_addr();
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Smpp).await;
        let mut events = subscribe(&house, &ctx).await;
        let running = Running::start(&house, impatient_smpp(address));
        let first = ids(&send(&ctx, batch("a", ordinary(25))).await);
        until_all(&mut events, &first, &[MessageStatus::Delivered]).await;

        // The SMSC's ids are decimal now, of which the locked form finds none: its receipts are
        // put aside, and the first of them that a second look explains unlocks.
        smsc.stop().await;
        let smsc = self::smsc(IdForm::Decimal, Some(address), 5_000_000, &stop).await;
        let second = ids(&send(&ctx, batch("b", ordinary(3))).await);
        until_acknowledged(&smsc, 3).await;
        until_all(&mut events, &second, &[MessageStatus::Sent]).await;
        let parked: i64 = house.value("SELECT COUNT(*) FROM parked_receipt", Vec::new()).await;
        assert_eq!(parked, 3, "the locked form alone is looked up");
        let turning = turning(&house);
        until_all(&mut events, &second, &[MessageStatus::Delivered]).await;
        drop(turning);
        let third = ids(&send(&ctx, batch("c", ordinary(3))).await);
        until_all(&mut events, &third, &[MessageStatus::Delivered]).await;
        let parked: i64 = house.value("SELECT COUNT(*) FROM parked_receipt", Vec::new()).await;
        assert_eq!(parked, 0);
        running.stop().await;
        smsc.stop().await;
    }

    async fn a_pinned_form_of_receipt_ids_alone_is_looked_up(house: TestHouse) {
        let stop = CancellationToken::new();
        let smsc = smsc(IdForm::HexThenDecimal, None, 1_000_000, &stop).await;
        let ctx = account(&house, KeyMode::Test).await;
        add_carrier(&house, SIMULATOR_CARRIER_ID, CarrierKind::Smpp).await;
        set(&house, SIMULATOR_CARRIER_ID, r#"{"receipt_id_form": "as_written"}"#).await;
        let mut events = subscribe(&house, &ctx).await;
        let running = Running::start(&house, impatient_smpp(smsc.local_addr()));
        let sent = ids(&send(&ctx, batch("a", ordinary(3))).await);
        until_all(&mut events, &sent, &[MessageStatus::Sent]).await;
        until_acknowledged(&smsc, 3).await;
        running.stop().await;
        let parked: i64 = house.value("SELECT COUNT(*) FROM parked_receipt", Vec::new()).await;
        assert_eq!(parked, 3);
        house.execute("DELETE FROM parked_receipt", Vec::new()).await;
        set(&house, SIMULATOR_CARRIER_ID, r#"{"receipt_id_form": "decimal"}"#).await;
        let running = Running::start(&house, impatient_smpp(smsc.local_addr()));
        let sent = ids(&send(&ctx, batch("b", ordinary(3))).await);
        until_all(&mut events, &sent, &[MessageStatus::Delivered]).await;
        running.stop().await;
        smsc.stop().await;
    }
}

/// `count` recipients that play no script.
pub(super) fn ordinary(count: usize) -> Vec<NewMessage> {
    (0..count).map(|n| to(&format!("+4915123{n:06}"))).collect()
}

async fn smsc(
    id_form: IdForm,
    listen: Option<SocketAddr>,
    first_message_id: u64,
    stop: &CancellationToken,
) -> SmscHandle {
    let default = SmscConfig::default();
    let config = SmscConfig {
        listen: listen.unwrap_or(default.listen),
        id_form,
        first_message_id: Some(first_message_id),
        // Behind the answer, which the house has committed by then more often than not.
        receipt_delay_ms: 20,
        ..default
    };
    Smsc::start(config, outside_world(), stop.child_token()).await.unwrap()
}

async fn until_acknowledged(smsc: &SmscHandle, receipts: u64) {
    let mut stats = smsc.watch_stats();
    let acknowledged = stats.wait_for(|stats| stats.delivers_acknowledged >= receipts);
    within(PATIENCE, acknowledged).await.unwrap();
}

/// Connects again at once.
pub(super) fn impatient_smpp(
    address: SocketAddr,
) -> impl Fn() -> Box<dyn Carrier> + Send + Sync + 'static {
    move || {
        let password = secrecy::SecretString::from("secret");
        let mut config = SmppConfig::new("test", &address.to_string(), "heliograph", password);
        config.reconnect.first_ms = 20;
        config.reconnect.max_ms = 50;
        Box::new(SmppCarrier::new(config).unwrap())
    }
}
