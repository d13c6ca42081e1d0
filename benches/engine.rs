//! The engine alone, in one process: accept, dispatch over SMPP on loopback, settle, follow the log.
//! Without HTTP and GraphQL: tells what the store and the carrier path cost. For profiles.
//!
//! `cargo bench --bench engine -- [sqlite:<path> | postgres://…] [messages] [window] [delay_ms]`
#![expect(clippy::disallowed_methods, reason = "a benchmark measures with the machine's own clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first fault")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use entity::account;
use entity::carrier;
use entity::enums::{AccountKind, AccountStatus, CarrierKind, KeyMode, MessageStatus};
use entity::ids::AccountId;
use heliograph::authz::{Actor, KeyActor, Scope};
use heliograph::carriers::Carrier;
use heliograph::carriers::registry::SIMULATOR_CARRIER_ID;
use heliograph::carriers::smpp::{SmppCarrier, SmppConfig, Window};
use heliograph::carriers::smsc::Smsc;
use heliograph::carriers::smsc::config::SmscConfig;
use heliograph::config::{DEFAULTS, DatabaseUrl, Settings};
use heliograph::ctx::{Ctx, Platform};
use heliograph::db::Db;
use heliograph::events::{Doorbell, Hub};
use heliograph::keys::MasterKey;
use heliograph::messages::NewMessage;
use heliograph::messages::commands::{self, SendInput};
use heliograph::messages::dispatch::{self, CarrierFactory};
use heliograph::sys::{Clock, IdGenerator, Randomness};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ActiveModelTrait, Set};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let directory = tempfile::tempdir().unwrap();
    let url = match args.first().map(String::as_str) {
        Some(url) if url.starts_with("postgres") => DatabaseUrl::parse(url).unwrap(),
        _ => DatabaseUrl::in_directory(directory.path()),
    };
    let number = |n: usize, default: usize| args.get(n).map_or(default, |a| a.parse().unwrap());
    let (messages, window, delay_ms) = (number(1, 100_000), number(2, 50), number(3, 0));
    let mut settings: Settings = toml::from_str(DEFAULTS).unwrap();
    settings.store.data_dir = directory.path().to_owned();
    let db = Db::open(&url, 16).await.unwrap();
    Migrator::up(db.migrator(), None).await.unwrap();
    let (clock, randomness) = (Clock::system(), Randomness::system());
    let master_key = MasterKey::in_directory(directory.path(), &randomness).unwrap();
    let platform = Arc::new(Platform {
        db: db.clone(),
        ids: IdGenerator::new(clock.clone(), randomness.clone()),
        clock: clock.clone(),
        randomness: randomness.clone(),
        doorbell: Doorbell::default(),
        master_key: Arc::new(master_key),
        settings: Arc::new(settings),
    });
    let outside = heliograph::carriers::Platform { clock: clock.clone(), randomness };
    let config = SmscConfig { delay_ms: delay_ms as u64, ..SmscConfig::default() };
    let smsc = Smsc::start(config, outside, CancellationToken::new()).await.unwrap();
    let id: AccountId = platform.ids.next();
    let now = clock.now();
    db.write(|tx| async move {
        account::ActiveModel {
            id: Set(id),
            name: Set("Acme".to_owned()),
            kind: Set(AccountKind::Customer),
            status: Set(AccountStatus::Active),
            default_region: Set(None),
            version: Set(1),
            created_at_ms: Set(now),
            updated_at_ms: Set(now),
        }
        .insert(&*tx)
        .await?;
        carrier::ActiveModel {
            id: Set(SIMULATOR_CARRIER_ID),
            name: Set("smpp".to_owned()),
            kind: Set(CarrierKind::Smpp),
            settings: Set("{}".to_owned()),
            sealed_password: Set(None),
            enabled: Set(true),
            version: Set(1),
            created_at_ms: Set(now),
            updated_at_ms: Set(now),
        }
        .insert(&*tx)
        .await
        .map(drop)
    })
    .await
    .unwrap();
    let ctx = Ctx::new(
        Arc::clone(&platform),
        Actor::Key(KeyActor {
            api_key_id: platform.ids.next(),
            account_id: id,
            mode: KeyMode::Test,
            scopes: Scope::ALL.to_vec(),
        }),
        Arc::from("bench"),
    );
    let hub = Hub::new(db.clone(), clock.clone(), platform.doorbell.clone());
    let mut events = hub.subscribe(id, Some(0)).await.unwrap();
    let address = smsc.local_addr().to_string();
    let factory: CarrierFactory = Arc::new(move |_| {
        let mut config = SmppConfig::new("t", &address, "heliograph", "secret".into());
        config.window = Window::Fixed(window as u16);
        Ok(Box::new(SmppCarrier::new(config).unwrap()) as Box<dyn Carrier>)
    });
    let phase = std::env::var("PHASE").unwrap_or_default();
    let stop = CancellationToken::new();
    let dispatcher = (phase != "apart")
        .then(|| tokio::spawn(dispatch::run(Arc::clone(&platform), factory.clone(), stop.clone())));
    let start = Instant::now();
    let accept = {
        let ctx = ctx.clone();
        tokio::spawn(async move {
            let mut tasks = tokio::task::JoinSet::new();
            for call in 0..messages / 500 {
                if tasks.len() >= 2 {
                    tasks.join_next().await;
                }
                let ctx = ctx.clone();
                tasks.spawn(async move {
                    let messages = (0..500)
                        .map(|n| NewMessage {
                            to: format!("+49151{:08}", 10_000_000 + call * 500 + n),
                            from: "Acme".to_owned(),
                            text: format!("Your order {} has left", call % 7),
                            class: None,
                            client_reference: None,
                            send_at: None,
                            validity_period_seconds: None,
                            topic: None,
                        })
                        .collect();
                    let input = SendInput { idempotency_key: format!("k{call}"), messages };
                    let outcome =
                        commands::send(&ctx, &commands::Tables::default(), input).await.unwrap();
                    assert!(outcome.results.iter().all(Result::is_ok));
                });
            }
            while tasks.join_next().await.is_some() {}
            let s = start.elapsed().as_secs_f64();
            println!("accepted {messages} in {s:.2} s: {:.0}/s", messages as f64 / s);
        })
    };
    let mut start_delivery = start;
    let dispatcher = match dispatcher {
        Some(d) => d,
        None => {
            accept.await.unwrap();
            start_delivery = Instant::now();
            tokio::spawn(dispatch::run(Arc::clone(&platform), factory, stop.clone()))
        }
    };
    let mut done = 0;
    let mut last = Instant::now();
    let mut before = 0;
    while done < messages {
        let event = tokio::time::timeout(Duration::from_secs(60), events.next());
        let Ok(event) = event.await else {
            println!("stalled at {done}");
            break;
        };
        if event.unwrap().status == MessageStatus::Delivered.code() {
            done += 1;
        }
        if last.elapsed() > Duration::from_secs(2) {
            println!(
                "  {done} delivered, {:.0}/s",
                (done - before) as f64 / last.elapsed().as_secs_f64()
            );
            (last, before) = (Instant::now(), done);
        }
    }
    let s = start_delivery.elapsed().as_secs_f64();
    println!("delivered {done} in {s:.2} s: {:.0}/s", done as f64 / s);
    stop.cancel();
    dispatcher.await.unwrap();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let cpu = (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0;
    println!("cpu {cpu:.1} s = {:.2} s per 10,000", cpu / messages as f64 * 10_000.0);
}
