//! No card data anywhere: card numbers are planted in every leaf, key and header of every webhook
//! that Stripe documents, and in the paths; then every column of every table, the log at TRACE and
//! the answers are searched. That the search would find one is shown by a canary.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use heliograph::authz::Actor;
use heliograph::db::Store;
use heliograph::payments;
use heliograph::types::card_detector;
use sea_orm::{ColIdx, QueryResult, TryGetable, Value as Bound};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::world::{SECRET, add_stripe, signature};
use crate::support::{TestHouse, both_stores};

const CARDS: [&str; 4] =
    ["4242424242424242", "5555555555554444", "378282246310005", "6205500000000000004"];

/// What this process logged since the first test began: nextest gives each its own.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("nobody else logs in tests");
    log
});

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What makes an event readable.
const NEEDED: &[&str] = &[
    "balance_transaction",
    "charge",
    "client_reference_id",
    "currency",
    "customer",
    "failure_balance_transaction",
    "id",
    "latest_charge",
    "object",
    "payment_intent",
    "payment_method",
    "payment_status",
    "setup_intent",
    "status",
    "type",
];

/// Puts a card number into every text and a key of every object, or, to `spare` what is
/// [`NEEDED`], into all others.
fn planted(event: &Value, card: &str, spare: bool) -> Value {
    fn plant(value: &mut Value, path: &str, card: &str, spare: bool) {
        match value {
            Value::String(text) => {
                let needed = NEEDED.iter().any(|key| path.ends_with(&format!("/{key}")));
                if !(spare && (needed || path.contains("metadata/heliograph"))) {
                    *text = format!("{text} {card}");
                }
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| plant(item, path, card, spare));
            }
            Value::Object(members) => {
                for (key, value) in members.iter_mut() {
                    plant(value, &format!("{path}/{key}"), card, spare);
                }
                members.insert(card.to_owned(), json!(card));
            }
            Value::Number(_) if !spare => *value = json!(card.parse::<u64>().expect("digits")),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut event = event.clone();
    plant(&mut event, "", card, spare);
    event
}

fn text_at<T: TryGetable>(row: &QueryResult, at: impl ColIdx) -> Option<T> {
    row.try_get_by::<Option<T>, _>(at).ok().flatten()
}

/// Every text and bytes column of every table, by the store's catalogue.
async fn columns(house: &TestHouse) -> Vec<(String, String)> {
    let sql = match house.store() {
        Store::Sqlite => {
            "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
        }
        Store::Postgres => {
            "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) \
             FROM information_schema.columns WHERE table_schema = current_schema()"
        }
    };
    let rows = house.rows(sql, Vec::<Bound>::new()).await;
    rows.iter()
        .map(|row| {
            let name = |at: usize| text_at::<String>(row, at).expect("a name");
            (name(0), name(1))
        })
        .collect()
}

/// Where card numbers stand in the store. Numbers and ids are read as text.
async fn found_in_store(house: &TestHouse) -> Vec<String> {
    let mut found = Vec::new();
    let columns = columns(house).await;
    assert!(columns.len() > 150, "the catalogue was read: {}", columns.len());
    for (table, column) in columns {
        let (as_text, as_bytes) = match house.store() {
            Store::Sqlite => (
                format!(
                    "CASE WHEN typeof(\"{column}\") <> 'blob' THEN CAST(\"{column}\" AS TEXT) END"
                ),
                format!("CASE WHEN typeof(\"{column}\") = 'blob' THEN \"{column}\" END"),
            ),
            Store::Postgres => (
                format!("CAST(\"{column}\" AS TEXT)"),
                format!(
                    "CASE WHEN pg_typeof(\"{column}\") = 'bytea'::regtype \
                     THEN CAST(CAST(\"{column}\" AS TEXT) AS BYTEA) END"
                ),
            ),
        };
        let sql = format!("SELECT {as_text}, {as_bytes} FROM \"{table}\"");
        for row in house.rows(&sql, Vec::<Bound>::new()).await {
            let text: Option<String> = text_at(&row, 0_usize);
            let bytes: Option<Vec<u8>> = text_at(&row, 1_usize);
            let shows = |bytes: &[u8]| {
                card_detector::find(bytes).is_some()
                    || CARDS.iter().any(|card| {
                        bytes.windows(card.len()).any(|window| window == card.as_bytes())
                    })
            };
            if text.is_some_and(|text| shows(text.as_bytes()))
                || bytes.is_some_and(|bytes| shows(&bytes))
            {
                found.push(format!("{table}.{column}"));
            }
        }
    }
    found.sort();
    found
}

both_stores! {
    async fn no_card_number_is_kept_logged_or_answered(house: TestHouse) {
        let log = LOG.clone();
        let node = house.serve().await;
        let row = add_stripe(&node.ctx_as(Actor::CommandLine), None).await;
        let path = payments::path(&row);
        let shapes = [
            include_str!("../payments/shapes/stripe_handled.json"),
            include_str!("../payments/shapes/stripe_ignored.json"),
        ];
        let shapes: Vec<Value> = shapes
            .iter()
            .flat_map(|text| serde_json::from_str::<Vec<Value>>(text).expect("shapes"))
            .collect();
        let now_s = node.platform().clock.now().0 / 1_000;
        let mut taken = 0;
        for (at, shape) in shapes.iter().enumerate() {
            let card = CARDS[at % CARDS.len()];
            for spare in [true, false] {
                let body = planted(shape, card, spare).to_string().into_bytes();
                for (path, signed) in [
                    (path.clone(), true),
                    (path.clone(), false),
                    (format!("/hooks/stripe/{card}"), true),
                    (format!("{path}/{card}"), true),
                ] {
                    let secret = if signed { SECRET } else { card };
                    let answer = node
                        .http
                        .post(format!("{}{path}?card={card}", node.url))
                        .header("stripe-signature", signature(secret, &body, now_s))
                        .header("x-card", card)
                        .header("user-agent", card)
                        .body(body.clone())
                        .send()
                        .await
                        .expect("an answer");
                    taken += usize::from(answer.status() == 200);
                    let shown = format!("{:?}", answer.headers());
                    let shown = format!("{shown}{}", answer.text().await.expect("a body"));
                    assert!(card_detector::find(shown.as_bytes()).is_none(), "{shown}");
                }
            }
        }
        assert!(taken >= shapes.len() * 2, "{taken} were taken");
        node.app.jobs().run_now("payments.fold").await.expect("folds");
        let folded: i64 = house
            .value("SELECT COUNT(*) FROM webhook_event WHERE state = 1", Vec::<Bound>::new())
            .await;
        assert!(folded > 20, "{folded} were folded");
        assert_eq!(found_in_store(&house).await, Vec::<String>::new());
        let logged = log.0.lock().unwrap().clone();
        assert!(logged.len() > 1_000, "something was logged");
        for card in CARDS {
            let shows = logged.windows(card.len()).any(|window| window == card.as_bytes());
            assert!(!shows, "{card} was logged");
        }
        // The canaries: one in a text, one in bytes.
        house
            .execute("UPDATE webhook_event SET reason = $1", vec![CARDS[0].into()])
            .await;
        house
            .execute("UPDATE webhook_event SET body_mac = $1", vec![CARDS[1].as_bytes().to_vec().into()])
            .await;
        let found = found_in_store(&house).await;
        for canary in ["webhook_event.body_mac", "webhook_event.reason"] {
            assert!(found.iter().any(|it| it == canary), "{canary} is not among {found:?}");
        }
        node.stop().await;
    }
}
