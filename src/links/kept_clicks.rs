//! Clicks as rows: found with their messages, bounded, added to their links and told by events, in
//! one transaction for a group. Called by the writer (`clicks`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use entity::enums::{AgentFamily, ClickKind, EventKind};
use entity::ids::{AccountId, CampaignId, LinkClickId, MessageId};
use entity::time::UnixMillis;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};

use super::clicks::Click;
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType, Db, Store, Tx};
use crate::events::{self, NewEvent};

/// Clicks of a person on one link of one message that are kept, and as many of programs: more are
/// a storm.
pub const CLICKS_MAX: i64 = 1_000;
/// An agent that is not known and follows a link so soon after its message left, in ms, is a
/// program: nobody has read it.
const TOO_SOON_MS: i64 = 2_000;
/// Rows that one transaction of [`purge`] removes.
const PURGED_MAX: u64 = 1_000;

/// A click on a link that stood in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    id: LinkClickId,
    pub(super) account_id: AccountId,
    number: u32,
    message_id: MessageId,
    pub(super) kind: ClickKind,
    agent: AgentFamily,
    at: UnixMillis,
    /// The first of a person on any link of the message.
    is_first: bool,
    /// The first of a person on this one.
    is_first_of_link: bool,
}

/// Keeps clicks that are not kept yet, in one transaction. Those of links that nobody was sent, of
/// old messages and beyond [`CLICKS_MAX`] are left out. Returns those kept.
pub(super) async fn keep(ctx: &Ctx, group: &[Click]) -> Result<Vec<Row>, DbErr> {
    let messages = read_messages(&ctx.db, group).await?;
    let counted_ms = ctx.settings.links.click_retention_s * 1_000;
    let row = |click: &Click| {
        let said = click.said;
        let message = messages.get(&(said.account_id, said.campaign_id, i64::from(said.place)))?;
        (click.at.since(message.made_at) < counted_ms).then(|| message.clicked(click))
    };
    let rows: Vec<Row> = group.iter().filter_map(row).collect();
    if rows.is_empty() {
        return Ok(rows);
    }
    let campaigns: BTreeSet<_> =
        group.iter().map(|it| (it.said.account_id, it.said.campaign_id)).collect();
    let (rows, campaigns) = (&rows, &campaigns);
    ctx.db
        .write(|tx| async move {
            lock(&tx, campaigns).await?;
            let rows = chosen(rows, read_past(&tx, rows).await?);
            write(&tx, rows).await
        })
        .await
}

/// What is known of the message that a link stood in.
struct Message {
    id: MessageId,
    made_at: UnixMillis,
    left_at: Option<UnixMillis>,
}

impl Message {
    fn clicked(&self, click: &Click) -> Row {
        let Click { id, said, visitor, at } = *click;
        let is_soon = self.left_at.is_none_or(|left_at| at.since(left_at) < TOO_SOON_MS);
        let kind = match visitor.kind {
            ClickKind::Person if is_soon && visitor.agent == AgentFamily::Other => {
                ClickKind::TooSoon
            }
            kind => kind,
        };
        Row {
            id,
            account_id: said.account_id,
            number: said.number,
            message_id: self.id,
            kind,
            agent: visitor.agent,
            at,
            is_first: false,
            is_first_of_link: false,
        }
    }
}

const PLACE_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("campaign_id", BulkType::Uuid),
    BulkColumn::new("place", BulkType::BigInt),
];

async fn read_messages(
    db: &Db,
    group: &[Click],
) -> Result<HashMap<(AccountId, CampaignId, i64), Message>, DbErr> {
    let places: BTreeSet<_> = group
        .iter()
        .map(|it| (it.said.account_id, it.said.campaign_id, i64::from(it.said.place)))
        .collect();
    let mut rows = Bulk::new(PLACE_COLUMNS);
    for (account_id, campaign_id, place) in places {
        rows.push([account_id.0.into(), campaign_id.0.into(), place.into()]);
    }
    let sql = "SELECT m.account_id, m.campaign_id, m.place, m.id, m.created_at_ms, \
        COALESCE(m.sent_at_ms, m.submitted_at_ms) AS left_at_ms FROM rows CROSS JOIN message m \
        WHERE m.account_id = rows.account_id AND m.campaign_id = rows.campaign_id \
        AND m.place = rows.place";
    let found = rows.read(db, sql, Vec::new()).await?;
    let message = |row: &QueryResult| {
        let place: i64 = row.try_get("", "place")?;
        let key = (row.try_get("", "account_id")?, row.try_get("", "campaign_id")?, place);
        let message = Message {
            id: row.try_get("", "id")?,
            made_at: row.try_get("", "created_at_ms")?,
            left_at: row.try_get("", "left_at_ms")?,
        };
        Ok((key, message))
    };
    found.iter().map(message).collect()
}

const CAMPAIGN_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("campaign_id", BulkType::Uuid),
];

/// One writer at a time counts the clicks of a campaign: its links are locked, in the order of their
/// numbers. SQLite has one writer anyway.
async fn lock(tx: &Tx, campaigns: &BTreeSet<(AccountId, CampaignId)>) -> Result<(), DbErr> {
    if tx.store() == Store::Sqlite {
        return Ok(());
    }
    let mut rows = Bulk::new(CAMPAIGN_COLUMNS);
    for (account_id, campaign_id) in campaigns {
        rows.push([account_id.0.into(), campaign_id.0.into()]);
    }
    let sql = "SELECT l.number FROM rows CROSS JOIN short_link l \
        WHERE l.account_id = rows.account_id AND l.campaign_id = rows.campaign_id \
        ORDER BY l.number FOR NO KEY UPDATE OF l";
    rows.query(tx, sql, Vec::new()).await?;
    Ok(())
}

/// A link of a message.
type LinkOf = (AccountId, MessageId, u32);

/// What was kept before.
#[derive(Debug, Default)]
struct Past {
    /// Clicks of persons and of programs, by link.
    clicks: HashMap<LinkOf, (i64, i64)>,
    /// Messages of which a person followed a link.
    clicked: HashSet<(AccountId, MessageId)>,
}

const LINK_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("message_id", BulkType::Uuid),
    BulkColumn::new("number", BulkType::BigInt),
];

async fn read_past(tx: &Tx, clicks: &[Row]) -> Result<Past, DbErr> {
    let links: BTreeSet<LinkOf> =
        clicks.iter().map(|row| (row.account_id, row.message_id, row.number)).collect();
    let mut rows = Bulk::new(LINK_COLUMNS);
    for (account_id, message_id, number) in links {
        rows.push([account_id.0.into(), message_id.0.into(), i64::from(number).into()]);
    }
    let of_message = "c.account_id = rows.account_id AND c.message_id = rows.message_id";
    let of_link = format!("{of_message} AND c.number = rows.number");
    let person = ClickKind::Person.code();
    let sql = format!(
        "SELECT rows.account_id, rows.message_id, rows.number, \
         (SELECT count(*) FROM link_click c WHERE {of_link} AND c.kind = {person}) AS persons, \
         (SELECT count(*) FROM link_click c WHERE {of_link} AND c.kind <> {person}) AS bots, \
         (SELECT count(*) FROM link_click c WHERE {of_message} AND c.is_first) AS firsts FROM rows"
    );
    let mut past = Past::default();
    for row in rows.query(tx, &sql, Vec::new()).await? {
        let (account_id, message_id) =
            (row.try_get("", "account_id")?, row.try_get("", "message_id")?);
        let number: i64 = row.try_get("", "number")?;
        let number = u32::try_from(number).map_err(|_| DbErr::Type(format!("link {number}")))?;
        let counts = (row.try_get("", "persons")?, row.try_get("", "bots")?);
        past.clicks.insert((account_id, message_id, number), counts);
        if row.try_get::<i64>("", "firsts")? > 0 {
            past.clicked.insert((account_id, message_id));
        }
    }
    Ok(past)
}

/// Those to be kept, and which of them are somebody's first.
fn chosen(rows: &[Row], mut past: Past) -> Vec<Row> {
    let mut chosen = Vec::with_capacity(rows.len());
    for row in rows {
        let (persons, bots) =
            past.clicks.entry((row.account_id, row.message_id, row.number)).or_default();
        let is_person = row.kind == ClickKind::Person;
        let before = if is_person { persons } else { bots };
        if *before >= CLICKS_MAX {
            continue;
        }
        *before += 1;
        let is_first_of_link = is_person && *before == 1;
        let is_first = is_person && past.clicked.insert((row.account_id, row.message_id));
        chosen.push(Row { is_first, is_first_of_link, ..*row });
    }
    chosen
}

const CLICK_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("number", BulkType::BigInt),
    BulkColumn::new("message_id", BulkType::Uuid),
    BulkColumn::new("kind", BulkType::SmallInt),
    BulkColumn::new("agent", BulkType::SmallInt),
    BulkColumn::new("is_first", BulkType::Bool),
    BulkColumn::new("occurred_at_ms", BulkType::BigInt),
];

const SUM_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("account_id", BulkType::Uuid),
    BulkColumn::new("number", BulkType::BigInt),
    BulkColumn::new("persons", BulkType::BigInt),
    BulkColumn::new("firsts", BulkType::BigInt),
    BulkColumn::new("bots", BulkType::BigInt),
];

/// Writes clicks, adds them to their links, and tells of those of persons. What a try before this
/// one has written is left as it is. Returns those written.
async fn write(tx: &Tx, mut clicks: Vec<Row>) -> Result<Vec<Row>, DbErr> {
    let mut rows = Bulk::new(CLICK_COLUMNS);
    for click in &clicks {
        rows.push([
            click.account_id.0.into(),
            click.id.0.into(),
            i64::from(click.number).into(),
            click.message_id.0.into(),
            click.kind.code().into(),
            click.agent.code().into(),
            click.is_first.into(),
            click.at.0.into(),
        ]);
    }
    let sql = "INSERT INTO link_click (account_id, id, number, message_id, kind, agent, is_first, \
        occurred_at_ms) SELECT account_id, id, number, message_id, kind, agent, is_first, \
        occurred_at_ms FROM rows WHERE true ON CONFLICT (account_id, id) DO NOTHING RETURNING id";
    let written = rows.query(tx, sql, Vec::new()).await?;
    let written: Result<HashSet<LinkClickId>, DbErr> =
        written.iter().map(|row| row.try_get("", "id")).collect();
    let written = written?;
    clicks.retain(|click| written.contains(&click.id));

    let mut sums: BTreeMap<(AccountId, u32), [i64; 3]> = BTreeMap::new();
    for click in &clicks {
        let [persons, firsts, bots] = sums.entry((click.account_id, click.number)).or_default();
        let is_person = click.kind == ClickKind::Person;
        *persons += i64::from(is_person);
        *firsts += i64::from(click.is_first_of_link);
        *bots += i64::from(!is_person);
    }
    let mut rows = Bulk::new(SUM_COLUMNS);
    for ((account_id, number), [persons, firsts, bots]) in sums {
        let number = i64::from(number);
        rows.push([account_id.0.into(), number.into(), persons.into(), firsts.into(), bots.into()]);
    }
    let sql = "UPDATE short_link SET clicks = short_link.clicks + rows.persons, \
        unique_clicks = short_link.unique_clicks + rows.firsts, \
        bot_clicks = short_link.bot_clicks + rows.bots FROM rows \
        WHERE short_link.account_id = rows.account_id AND short_link.number = rows.number";
    rows.execute(tx, sql, Vec::new()).await?;
    let persons = clicks.iter().filter(|click| click.kind == ClickKind::Person);
    events::append(tx, persons.map(event).collect()).await?;
    Ok(clicks)
}

fn event(click: &Row) -> NewEvent {
    let kind = if click.is_first { EventKind::RecipientClicked } else { EventKind::LinkClicked };
    NewEvent {
        account_id: click.account_id,
        kind,
        subject_id: click.message_id.0,
        status: 0,
        version: 0,
        error_code: None,
        occurred_at: click.at,
    }
}

/// Removes clicks that were kept for `links.click_retention_s`; what was counted of them stays.
/// Returns how many.
///
/// # Errors
/// The store's own; what was committed before stays.
pub async fn purge(ctx: &Ctx) -> Result<u64, DbErr> {
    let before = ctx.clock.now().plus_ms(-ctx.settings.links.click_retention_s * 1_000);
    let sql = "DELETE FROM link_click WHERE (account_id, id) IN (SELECT account_id, id \
        FROM link_click WHERE occurred_at_ms < $1 ORDER BY occurred_at_ms LIMIT $2)";
    let mut purged = 0;
    loop {
        let result = ctx
            .db
            .write(|tx| async move {
                let values = [before.0.into(), (PURGED_MAX as i64).into()];
                let backend = tx.store().backend();
                tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await
            })
            .await?;
        purged += result.rows_affected();
        if result.rows_affected() < PURGED_MAX {
            return Ok(purged);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::clicks::Said;
    use super::super::visitor::Visitor;
    use super::*;

    fn row(id: u128, number: u32, message: u128, kind: ClickKind) -> Row {
        Row {
            id: LinkClickId(Uuid::from_u128(id)),
            account_id: AccountId(Uuid::from_u128(1)),
            number,
            message_id: MessageId(Uuid::from_u128(message)),
            kind,
            agent: AgentFamily::Other,
            at: UnixMillis(0),
            is_first: false,
            is_first_of_link: false,
        }
    }

    #[test]
    fn a_recipient_is_unique_once_a_message_and_once_a_link() {
        use ClickKind::{Person, Preview};
        let rows = [
            row(1, 7, 1, Preview),
            row(2, 7, 1, Person),
            row(3, 7, 1, Person),
            row(4, 8, 1, Person),
            row(5, 7, 2, Person),
        ];
        let firsts = |past| {
            let rows = chosen(&rows, past);
            rows.iter().map(|row| (row.is_first, row.is_first_of_link)).collect::<Vec<_>>()
        };
        let (none, both, of_link) = ((false, false), (true, true), (false, true));
        assert_eq!(firsts(Past::default()), [none, both, none, of_link, both]);
        let account = rows[0].account_id;
        let past = Past {
            clicks: HashMap::from([((account, rows[0].message_id, 7), (1, 0))]),
            clicked: HashSet::from([(account, rows[0].message_id)]),
        };
        assert_eq!(firsts(past), [none, none, none, of_link, both]);
    }

    #[test]
    fn a_storm_of_programs_leaves_room_for_a_person() {
        let mut rows: Vec<Row> =
            (0..CLICKS_MAX as u128 + 5).map(|id| row(id, 7, 1, ClickKind::Bot)).collect();
        rows.push(row(9_999, 7, 1, ClickKind::Person));
        let kept = chosen(&rows, Past::default());
        assert_eq!(kept.len() as i64, CLICKS_MAX + 1);
        assert!(kept.last().unwrap().is_first);
    }

    #[test]
    fn an_unknown_agent_is_no_person_before_anybody_can_have_read_it() {
        let message = |left_at: Option<i64>| Message {
            id: MessageId(Uuid::from_u128(1)),
            made_at: UnixMillis(0),
            left_at: left_at.map(UnixMillis),
        };
        let click = |kind, agent| Click {
            id: LinkClickId(Uuid::from_u128(1)),
            said: Said {
                account_id: AccountId(Uuid::from_u128(1)),
                campaign_id: CampaignId(Uuid::from_u128(1)),
                number: 1,
                place: 1,
            },
            visitor: Visitor { kind, agent },
            at: UnixMillis(10_000),
        };
        use AgentFamily::{Chrome, Other};
        use ClickKind::{Person, Preview, TooSoon};
        for (left_at, kind, agent, expected) in [
            (None, Person, Other, TooSoon),
            (Some(8_001), Person, Other, TooSoon),
            (Some(8_000), Person, Other, Person),
            (Some(9_999), Person, Chrome, Person),
            (Some(9_999), Preview, Other, Preview),
        ] {
            let row = message(left_at).clicked(&click(kind, agent));
            assert_eq!(row.kind, expected, "{left_at:?} {kind:?} {agent:?}");
        }
    }
}
