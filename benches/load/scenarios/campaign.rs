//! A campaign to a large audience: how long until all its messages are made, in what memory, and how
//! long another account's one-time passwords take meanwhile; or killed again and again on the way,
//! after which there must be exactly one message a contact, and their price must be held.

use std::time::{Duration, Instant};

use entity::ids::{AccountId, ListId};
use heliograph::config::DatabaseUrl;
use heliograph::db::Db;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use super::{House, HouseArgs, HouseParts, SENDER, plan};
use crate::kit::audience::{self, Audience};
use crate::kit::drive::api::Api;
use crate::kit::drive::stream::{Subscriber, Wish};
use crate::kit::drive::{Plan, unix_us};
use crate::kit::report::Report;
use crate::kit::rig::{create_account, process, verify_ledger};

/// The aim for a million contacts on two cores with PostgreSQL.
const MADE_PER_S_MIN: f64 = 1_000_000.0 / 120.0;
/// The aim for the server's memory, in MiB.
const MEMORY_MIB_MAX: f64 = 200.0;
/// The aim for the one-time passwords of another account.
const OTP_TIME_MAX: Duration = Duration::from_secs(1);
/// Between two one-time passwords.
const OTP_INTERVAL: Duration = Duration::from_millis(200);
/// Between two looks at the campaign.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// A campaign that takes longer is stuck.
const TIME_MAX: Duration = Duration::from_secs(1_800);

/// How large, and how often killed.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub house: HouseArgs,
    /// Contacts in the audience
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=5_000_000))]
    pub contacts: u64,
    /// How often the server is killed on the way; then nothing is timed
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub kills: u32,
    /// Repeats the pauses of an earlier run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Runs it.
pub async fn run(args: Args) -> Report {
    let mut report = Report::new(format!(
        "campaign: {} contacts, {} kills, store {:?}, carrier {} ms, window {}",
        args.contacts, args.kills, args.house.store, args.house.carrier_delay_ms, args.house.window
    ));
    let mut house = House::start(&args.house, HouseParts::default()).await;
    let account_id = fill(&mut house, &args).await;
    let other = create_account(&house.place, SENDER);
    let other = Api::new(&house.server.url(), &other.api_key);
    let campaign = create(&house.api).await;
    let start = Instant::now();
    start_campaign(&house.api, &campaign).await;
    let api = house.api.clone();
    if args.kills == 0 {
        let pid = house.server.pid();
        let over = tokio::sync::watch::channel(false);
        let passwords = tokio::spawn(send_passwords(other, over.1));
        let took = until_made(&api, &campaign, args.contacts, start).await;
        let _ = over.0.send(true);
        let passwords = passwords.await.unwrap();
        let made_per_s = args.contacts as f64 / took.as_secs_f64();
        report.figure("made_in_s", took.as_secs_f64());
        report.figure("made_per_s", made_per_s);
        let peak_mib = process::memory(pid).peak_kib as f64 / 1024.0;
        report.figure("server_peak_memory_mib", peak_mib);
        let slowest = passwords.iter().max().copied().unwrap_or_default();
        report.figure("otp_sent", passwords.len() as f64);
        report.percentiles("otp_call_to_sent_ms", passwords);
        if made_per_s < MADE_PER_S_MIN {
            report.fault(format!("{made_per_s:.0} messages/s were made"));
        }
        if peak_mib > MEMORY_MIB_MAX {
            report.fault(format!("the server held {peak_mib:.0} MiB"));
        }
        if slowest > OTP_TIME_MAX {
            report.fault(format!("a one-time password took {slowest:?}"));
        }
    } else {
        let chance = heliograph::sys::Randomness::seeded(args.seed);
        for kill in 1..=args.kills {
            // Somewhere in what is left to be made.
            let made = look(&api, &campaign).await["accepted"].as_u64().unwrap_or_default();
            let left = args.contacts.saturating_sub(made);
            let step = left / u64::from(args.kills - kill + 2);
            let until = made + (step as f64 * 2.0 * chance.unit()) as u64;
            until_accepted(&api, &campaign, until.min(args.contacts), start).await;
            house.server.kill();
            house.server.restart().await;
        }
        until_made(&api, &campaign, args.contacts, start).await;
        report.figure("kills", f64::from(args.kills));
    }
    let totals = look(&api, &campaign).await;
    report.note("price", totals["price"]["amount"].as_str().unwrap_or_default());
    house.server.kill();
    check(&house, account_id, args.contacts, &mut report).await;
    house.server.restart().await;
    house.server.stop().await;
    // Ends the program if the books, or what is held for messages, are not in order.
    report.figure("ledger_transfers_verified", verify_ledger(&house.place) as f64);
    report
}

fn store_url(house: &House) -> DatabaseUrl {
    match &house.place.postgres {
        Some(postgres) => DatabaseUrl::parse(postgres.url()).unwrap(),
        None => DatabaseUrl::in_directory(house.place.directory.path()),
    }
}

/// Puts the contacts on a list of the account, with the server away.
async fn fill(house: &mut House, args: &Args) -> AccountId {
    let made = house
        .api
        .query("mutation { createList(input: {name: \"All\"}) { list { id } } }", json!({}))
        .await;
    let list_id: ListId = made["createList"]["list"]["id"].as_str().unwrap().parse().unwrap();
    let account = house.api.query("{ account { id } }", json!({})).await;
    let account_id: AccountId = account["account"]["id"].as_str().unwrap().parse().unwrap();
    house.server.kill();
    let directory = house.place.directory.path();
    let audience = Audience { directory, account_id, list_id, contacts: args.contacts };
    audience::write(&store_url(house), audience).await;
    house.server.restart().await;
    account_id
}

async fn create(api: &Api) -> String {
    let document = "query { lists { nodes { id } } }";
    let lists = api.query(document, json!({})).await;
    let list = &lists["lists"]["nodes"][0]["id"];
    let document = "mutation($list: ID!) { createCampaign(input: { name: \"Load\", \
        sender: \"Load\", text: \"Hello {{name|there}}\", audience: { listIds: [$list] } }) { \
        campaign { id } userErrors { code } } }";
    attribute(api).await;
    let made = api.query(document, json!({ "list": list })).await;
    let id = made["createCampaign"]["campaign"]["id"].as_str();
    id.unwrap_or_else(|| panic!("{made}")).to_owned()
}

async fn attribute(api: &Api) {
    let document = "mutation { createContactAttribute(input: {key: \"name\", kind: TEXT}) { \
        userErrors { code } } }";
    api.query(document, json!({})).await;
}

async fn start_campaign(api: &Api, campaign: &str) {
    let document = "mutation($id: ID!) { startCampaign(input: { campaignId: $id }) { \
        campaign { status } userErrors { code } } }";
    let started = api.query(document, json!({ "id": campaign })).await;
    assert_eq!(started["startCampaign"]["userErrors"], json!([]), "{started}");
}

async fn look(api: &Api, campaign: &str) -> Value {
    let document = "query($id: ID!) { campaign(id: $id) { status reason totals { recipients \
        accepted suppressed refused price { amount } } } }";
    let seen = api.query(document, json!({ "id": campaign })).await;
    let campaign = &seen["campaign"];
    let status = campaign["status"].as_str().unwrap_or_default();
    assert!(["RUNNING", "FINISHED"].contains(&status), "{campaign}");
    campaign["totals"].clone()
}

async fn until_accepted(api: &Api, campaign: &str, accepted: u64, start: Instant) {
    while look(api, campaign).await["accepted"].as_u64().unwrap_or_default() < accepted {
        assert!(start.elapsed() < TIME_MAX, "the campaign is stuck");
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

async fn until_made(api: &Api, campaign: &str, contacts: u64, start: Instant) -> Duration {
    until_accepted(api, campaign, contacts, start).await;
    start.elapsed()
}

/// Sends one-time passwords one by one, each when the one before was seen as sent or its time has
/// come, until told to stop; how long each took to be sent.
async fn send_passwords(api: Api, mut over: tokio::sync::watch::Receiver<bool>) -> Vec<Duration> {
    let mut subscriber = Subscriber::start(&api.url, &api.key, Wish::AfterQueued).await;
    let plan = Plan { otp_every: 1, ..plan("passwords", 1_000_000, 1) };
    let mut ticks = tokio::time::interval(OTP_INTERVAL);
    let mut took = Vec::new();
    for index in 0..plan.batches() {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = over.changed() => break,
        }
        let called_us = unix_us();
        let accepted = api.send(&plan.call(index)).await;
        let seen_us = loop {
            let seen = subscriber.seen.recv().await.expect("the subscriber runs");
            if let Some(seen) = seen.iter().find(|seen| accepted.ids.contains(&seen.id)) {
                break seen.at_us;
            }
        };
        took.push(Duration::from_micros(seen_us.saturating_sub(called_us)));
    }
    took
}

/// Counts what is there.
async fn check(house: &House, account_id: AccountId, contacts: u64, report: &mut Report) {
    let db = Db::open(&store_url(house), 2).await.expect("opens the store");
    let value = async |sql: &str| -> i64 {
        let statement =
            Statement::from_sql_and_values(db.store().backend(), sql, [account_id.0.into()]);
        let row = db.reader().query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    };
    let all = "SELECT COUNT(*) FROM message WHERE account_id = $1 AND campaign_id IS NOT NULL";
    let distinct = "SELECT COUNT(DISTINCT contact_id) FROM message WHERE account_id = $1";
    let held = "SELECT CAST(COALESCE(SUM(price_micros), 0) AS BIGINT) FROM message \
        WHERE account_id = $1 AND charged_micros IS NULL";
    let wallet = "SELECT CAST(SUM(held_micros) AS BIGINT) FROM wallet WHERE account_id = $1";
    let (all, distinct) = (value(all).await, value(distinct).await);
    let (held, wallet) = (value(held).await, value(wallet).await);
    report.figure("messages", all as f64);
    report.figure("contacts_written_to", distinct as f64);
    let contacts = i64::try_from(contacts).expect("some millions");
    if (all, distinct) != (contacts, contacts) {
        report.fault(format!("{all} messages to {distinct} of {contacts} contacts"));
    }
    if held != wallet {
        report.fault(format!("{wallet} micros are held for messages that cost {held}"));
    }
    db.close().await.expect("closes the store");
}
