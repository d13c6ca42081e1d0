//! Messages by the million, written straight into a store with their roll-ups: what months of
//! service leave behind. Not in it: texts, the log, ledger and usage, so `verify-ledger` and
//! invoices know nothing of them.

use std::sync::Arc;

use entity::enums::{Encoding, MessageClass, MessageStatus, Purse, SenderKind};
use entity::ids::{AccountId, MessageId};
use entity::time::UnixMillis;
use heliograph::carriers::registry::SIMULATOR_CARRIER_ID;
use heliograph::config::{DatabaseUrl, Overrides, Settings};
use heliograph::db::{Bulk, BulkColumn, BulkType, Db, Store};
use heliograph::rollups::{self, Facts, Kind, Step, Tally};
use heliograph::types::money::Micros;
use heliograph::types::price::PartPrice;
use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;

/// Messages whose roll-ups are written together: the more, the fewer rows are written again.
const BATCH: u64 = 40_000;
/// Messages of one transaction; those of a batch are written beside each other.
const PIECE: usize = 10_000;
/// Connections, of which half are the platform's: one for each piece of a batch, and for the roll-ups.
const CONNECTIONS: u32 = 10;
/// What a part costs: 0.0075.
const PART_NANOS: i64 = 7_500_000;

/// What to write.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// Whose messages.
    pub account_id: AccountId,
    /// How many.
    pub messages: u64,
    /// Over how many days, up to now.
    pub days: u32,
}

/// Recipients' countries, the commoner ones more than once.
const COUNTRIES: [(&str, &str); 10] = [
    ("DE", "+49151"),
    ("DE", "+49151"),
    ("DE", "+49151"),
    ("GB", "+44740"),
    ("GB", "+44740"),
    ("IN", "+91900"),
    ("IN", "+91900"),
    ("KE", "+25471"),
    ("BR", "+55119"),
    ("US", "+12025"),
];
const SENDERS: [(&str, MessageClass); 3] = [
    ("Codes", MessageClass::Otp),
    ("Orders", MessageClass::Transactional),
    ("Offers", MessageClass::Marketing),
];

/// One message; everything follows from its number.
struct Seeded {
    id: MessageId,
    accepted_at: UnixMillis,
    country: (&'static str, &'static str),
    sender: (&'static str, MessageClass),
    parts: i16,
    steps: Vec<Step>,
}

/// Bits that look like chance, the same for the same number (SplitMix64).
fn bits(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

impl Seeded {
    fn new(number: u64, accepted_at: UnixMillis) -> Self {
        use MessageStatus::{Delivered, Failed, Queued, Sent, Undelivered, Unknown};
        let bits = bits(number);
        let ms = u64::try_from(accepted_at.0).expect("after 1970");
        let id = Uuid::from_u64_pair(ms << 16 | 0x7000, 1 << 63 | number);
        let step = |status, version, error: Option<&str>, after_ms: u64| Step {
            status,
            version,
            error_code: error.map(str::to_owned),
            at: accepted_at.plus_ms(i64::try_from(after_ms).expect("some seconds")),
        };
        let (to_sent_ms, to_end_ms) = (20 + bits % 400, 600 + (bits >> 9) % 12_000);
        let mut steps = vec![step(Queued, 1, None, 0)];
        match (bits >> 40) % 100 {
            0 => steps.push(step(Failed, 3, Some("CARRIER_REFUSED"), to_sent_ms)),
            outcome => {
                steps.push(step(Sent, 3, None, to_sent_ms));
                steps.push(match outcome {
                    1..4 => step(Undelivered, 4, Some("RECEIPT_UNDELIVERED"), to_end_ms),
                    4 => step(Unknown, 4, Some("NO_FINAL_RECEIPT"), 259_200_000),
                    _ => step(Delivered, 4, None, to_end_ms),
                });
            }
        }
        Self {
            id: MessageId(id),
            accepted_at,
            country: COUNTRIES[((bits >> 16) % 10) as usize],
            sender: SENDERS[((bits >> 24) % 3) as usize],
            parts: 1 + i16::from((bits >> 32).is_multiple_of(8)),
            steps,
        }
    }

    fn price(&self) -> Micros {
        part_price().of_parts(self.parts)
    }

    fn last(&self) -> &Step {
        self.steps.last().expect("a message was at least accepted")
    }

    fn charged(&self) -> Micros {
        if self.last().status == MessageStatus::Failed { Micros::ZERO } else { self.price() }
    }

    fn facts(&self, account_id: AccountId) -> Facts {
        Facts {
            account_id,
            accepted_at: self.accepted_at,
            kind: Arc::new(Kind {
                is_test: false,
                country: self.country.0.to_owned(),
                carrier_id: SIMULATOR_CARRIER_ID,
                route_id: None,
                sender: self.sender.0.to_owned(),
                class: self.sender.1,
                currency: "USD".to_owned(),
                purse: Purse::Money,
                campaign_id: None,
            }),
            variant: None,
            parts: self.parts,
            unit_price: part_price(),
            price: self.price(),
            charged: Some(self.charged()),
            charged_version: Some(3),
        }
    }
}

fn part_price() -> PartPrice {
    PartPrice::from_nanos(PART_NANOS).expect("a price")
}

/// Writes them. Nobody else may use a store on SQLite meanwhile.
///
/// # Panics
/// If the store does not take them.
pub async fn write(url: &DatabaseUrl, seed: Seed) {
    let settings = Settings::load(None, &Overrides::default()).expect("the settings are in order");
    let db = Db::open(url, CONNECTIONS).await.expect("opens the store");
    // Clocks of the machine: what is seeded ends where the server's time is.
    let now = i64::try_from(super::drive::unix_us() / 1_000).expect("a time of this century");
    let span_ms = u64::from(seed.days) * 86_400_000;
    let start_ms = now - i64::try_from(span_ms).expect("some months");
    let mut written = 0;
    while written < seed.messages {
        let end = seed.messages.min(written + BATCH);
        let batch: Vec<_> = (written..end)
            .map(|number| {
                let part = u128::from(number) * u128::from(span_ms) / u128::from(seed.messages);
                let after_ms = i64::try_from(part).expect("within the span");
                Seeded::new(number, UnixMillis(start_ms + after_ms))
            })
            .collect();
        write_batch(&db, &settings, seed.account_id, &batch, UnixMillis(now)).await;
        written = end;
        if written % 500_000 == 0 {
            eprintln!("  {written:>9} seeded");
        }
    }
    if db.store() == Store::Postgres {
        // What PostgreSQL does by itself on the way through months.
        db.migrator().execute_unprepared("ANALYZE").await.expect("the store counts its rows");
    }
    db.close().await.expect("closes the store");
}

async fn write_batch(
    db: &Db,
    settings: &Settings,
    account_id: AccountId,
    batch: &[Seeded],
    now: UnixMillis,
) {
    let mut tally = Tally::default();
    for message in batch {
        tally.add(&message.facts(account_id), [], &message.steps);
    }
    let tally = &tally;
    let summed = db.write(|tx| async move {
        rollups::write(&tx, &settings.metrics, now, tally).await?;
        Ok::<_, DbErr>(())
    });
    let pieces = futures::future::try_join_all(
        batch.chunks(PIECE).map(|piece| write_piece(db, account_id, piece)),
    );
    futures::try_join!(summed, pieces).expect("the store takes the messages");
}

async fn write_piece(db: &Db, account_id: AccountId, piece: &[Seeded]) -> Result<(), DbErr> {
    let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
    let names = names.join(", ");
    let sql = format!("INSERT INTO message ({names}) SELECT {names} FROM rows");
    let sql = sql.as_str();
    db.write(
        |tx| async move { rows(account_id, piece).execute(&tx, sql, Vec::new()).await.map(drop) },
    )
    .await
}

const COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("class", BulkType::SmallInt),
    BulkColumn::new("status", BulkType::SmallInt),
    BulkColumn::new("version", BulkType::Int),
    BulkColumn::new("is_test", BulkType::Bool),
    BulkColumn::new("recipient", BulkType::Text),
    BulkColumn::new("sender", BulkType::Text),
    BulkColumn::new("sender_kind", BulkType::SmallInt),
    BulkColumn::new("text_id", BulkType::Uuid),
    BulkColumn::new("encoding", BulkType::SmallInt),
    BulkColumn::new("parts", BulkType::SmallInt),
    BulkColumn::new("country", BulkType::Text),
    BulkColumn::new("currency", BulkType::Text),
    BulkColumn::new("purse", BulkType::SmallInt),
    BulkColumn::new("unit_price_nanos", BulkType::BigInt),
    BulkColumn::new("price_micros", BulkType::BigInt),
    BulkColumn::new("charged_micros", BulkType::BigInt),
    BulkColumn::new("charged_version", BulkType::Int),
    BulkColumn::new("carrier_id", BulkType::Uuid),
    BulkColumn::new("due_at_ms", BulkType::BigInt),
    BulkColumn::new("expires_at_ms", BulkType::BigInt),
    BulkColumn::new("attempt", BulkType::SmallInt),
    BulkColumn::new("finished_at_ms", BulkType::BigInt),
    BulkColumn::new("parts_delivered", BulkType::SmallInt),
    BulkColumn::nullable("error_code", BulkType::Text),
    BulkColumn::new("created_at_ms", BulkType::BigInt),
];

fn rows(account_id: AccountId, batch: &[Seeded]) -> Bulk<'static> {
    let mut rows = Bulk::new(COLUMNS);
    for message in batch {
        let last = message.last();
        let delivered = last.status == MessageStatus::Delivered;
        let subscriber = bits(message.id.0.as_u128() as u64) % 10_000_000;
        let digits = message.country.1.len();
        rows.push([
            account_id.0.into(),
            message.id.0.into(),
            message.sender.1.code().into(),
            last.status.code().into(),
            last.version.into(),
            false.into(),
            format!("{}{subscriber:0width$}", message.country.1, width = 13 - digits).into(),
            message.sender.0.into(),
            SenderKind::Alphanumeric.code().into(),
            // The text of all of them, long gone.
            Uuid::from_u128(1).into(),
            Encoding::Gsm7.code().into(),
            message.parts.into(),
            message.country.0.into(),
            "USD".into(),
            Purse::Money.code().into(),
            PART_NANOS.into(),
            message.price().0.into(),
            message.charged().0.into(),
            3.into(),
            SIMULATOR_CARRIER_ID.0.into(),
            message.accepted_at.0.into(),
            message.accepted_at.plus_ms(86_400_000).0.into(),
            1_i16.into(),
            last.at.0.into(),
            if delivered { message.parts } else { 0 }.into(),
            last.error_code.clone().into(),
            message.accepted_at.0.into(),
        ]);
    }
    rows
}
