//! How carriers write what they report: their own tables of errors.

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
}
