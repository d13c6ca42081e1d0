//! What a carrier's queue has no time for is refused before it is accepted.

use entity::enums::{SenderKind, SenderStatus};
use entity::sender;
use heliograph::messages::ItemError;
use heliograph::routing::{self, NewRoute, Routes};

use super::*;

/// An account with a live key and the approved sender "Acme".
async fn customer(house: &TestHouse) -> Ctx {
    let ctx = account(house, KeyMode::Live).await;
    house.give_credit(ctx.actor.account_id().unwrap()).await;
    let (account_id, id) = (ctx.actor.account_id().unwrap(), house.platform.ids.next());
    insert(house, &|tx| async move {
        sender::ActiveModel {
            account_id: Set(account_id),
            id: Set(id),
            value: Set("Acme".to_owned()),
            kind: Set(SenderKind::Alphanumeric),
            status: Set(SenderStatus::Approved),
            reason: Set(None),
            version: Set(1),
            created_at_ms: Set(house.now()),
            updated_at_ms: Set(house.now()),
        }
        .insert(&*tx)
        .await
        .map(drop)
    })
    .await;
    ctx
}

/// As the node that runs the carrier writes it.
async fn show_rate(house: &TestHouse, carrier_id: CarrierId, parts_per_1000_s: Option<i64>) {
    house.execute("DELETE FROM carrier_lease", Vec::new()).await;
    let expires_at = house.now().plus_ms(6_000);
    let values = vec![
        carrier_id.0.into(),
        carrier_id.0.into(),
        expires_at.0.into(),
        parts_per_1000_s.into(),
        house.now().0.into(),
    ];
    house
        .execute(
            "INSERT INTO carrier_lease (carrier_id, node_id, token, expires_at_ms, bound_links, \
             rate_parts_per_1000_s, seen_at_ms) VALUES ($1, $2, 1, $3, 1, $4, $5)",
            values,
        )
        .await;
}

both_stores! {
    async fn what_would_wait_too_long_is_refused_with_the_time_to_come_back(house: TestHouse) {
        let (ctx, other) = (customer(&house).await, customer(&house).await);
        let carrier_id: CarrierId = house.platform.ids.next();
        add_carrier(&house, carrier_id, CarrierKind::Smpp).await;
        routing::create(&house.system(), NewRoute::new("+", carrier_id)).await.unwrap();
        let platform = &house.platform;
        let routes = Routes::new(platform.db.clone(), platform.clock.clone(), &platform.doorbell);
        let send = async |ctx: &Ctx, key: &str, message: NewMessage| -> Result<(), ItemError> {
            let tables = Tables {
                routes: routes.current().await.unwrap(),
                prices: house.prices().current().await.unwrap(),
            };
            let outcome = commands::send(ctx, &tables, batch(key, vec![message])).await.unwrap();
            outcome.results.into_iter().next().unwrap().map(drop)
        };
        let of = |class: MessageClass, parts: usize| NewMessage {
            class: Some(class),
            text: "x".repeat(if parts == 1 { 1 } else { parts * 152 }),
            ..to("+4915123456789")
        };
        let day = |message| NewMessage { validity_period_seconds: Some(86_400), ..message };
        use MessageClass::{Marketing, Otp, Transactional};
        for call in 0..4 {
            send(&ctx, &format!("fill {call}"), of(Otp, 10)).await.unwrap();
        }
        routes.count_backlog().await.unwrap();
        send(&ctx, "no rate", of(Otp, 1)).await.expect("of an unknown rate nothing is refused");

        // Forty-one parts at one in ten seconds: 410 s, within the ten minutes of an OTP.
        show_rate(&house, carrier_id, Some(100)).await;
        routes.count_backlog().await.unwrap();
        send(&ctx, "in time", of(Otp, 1)).await.expect("it leaves in time");

        // Forty-three at one in twenty seconds: 860 s, 260 s more than it is valid.
        show_rate(&house, carrier_id, Some(50)).await;
        send(&ctx, "not counted yet", of(Otp, 1)).await.expect("an estimate is made in the background");
        routes.count_backlog().await.unwrap();
        let refused = send(&ctx, "late", of(Otp, 1)).await.unwrap_err();
        assert_eq!(refused.code, ItemErrorCode::BacklogTooLong);
        assert_eq!(refused.retry_after_ms, Some(43 * 20_000 - 600_000));
        let replayed = send(&ctx, "late", of(Otp, 1)).await.unwrap_err();
        assert_eq!(replayed, refused);
        send(&other, "fair", of(Otp, 1)).await.expect("accounts take turns");
        send(&ctx, "longer validity", of(Transactional, 1)).await.expect("it is valid for hours");
        let later = house.now().plus_ms(3_600_000);
        let scheduled = NewMessage { send_at: Some(later), ..of(Otp, 1) };
        send(&ctx, "later", scheduled).await.expect("nobody knows the queue of then");

        // At one in a thousand seconds it is twelve hours: more than ten, however long the validity.
        show_rate(&house, carrier_id, Some(1)).await;
        routes.count_backlog().await.unwrap();
        let refused = send(&other, "ten hours", day(of(Marketing, 1))).await.unwrap_err();
        assert_eq!(refused.code, ItemErrorCode::BacklogTooLong);
        // 44 parts of OTPs and one transactional go first.
        assert_eq!(refused.retry_after_ms, Some(45_000_000 - 36_000_000));

        // The node that ran it is gone: nobody can tell.
        house.hand.advance(Duration::from_secs(7));
        routes.count_backlog().await.unwrap();
        send(&other, "gone", day(of(Marketing, 1))).await.unwrap();
    }
}
