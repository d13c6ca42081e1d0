//! What the operator would set up from the command line: an account with its keys, a sender, a
//! carrier that is reached over SMPP, which here is a simulated SMSC in the same process, and a
//! payment processor, which is played here too. The account's owner accepts the link and is logged in.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use entity::carrier::Model as CarrierRow;
use entity::enums::ProcessorKind;
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::fake_stripe::FakeStripe;
use crate::app::App;
use crate::authz::Actor;
use crate::billing::{self, CreditChange};
use crate::carriers::Platform as CarrierPlatform;
use crate::carriers::registry::{self, CarrierChange, NewCarrier, SmppSettings};
use crate::carriers::smpp::Window;
use crate::carriers::smsc::config::{Login, Shares, SmscConfig};
use crate::carriers::smsc::{Smsc, SmscHandle};
use crate::cli::failure::Failure;
use crate::ctx::Ctx;
use crate::db::page::{PAGE_ROWS_MAX, PageRequest};
use crate::identity::{self, NewAccount};
use crate::payments::{self, NewProcessor};
use crate::routing::{self, NewRoute};
use crate::senders;
use crate::types::money::Micros;
use crate::types::secret::SecretText;

/// What the messages come from.
pub(super) const SENDER: &str = "Heliograph";
/// The carrier's name, by which a demo on a kept store finds the one of the last demo.
const CARRIER: &str = "Simulated SMSC";
pub(super) const SYSTEM_ID: &str = "demo";
/// From a submission to its answer, in milliseconds: a carrier not far away.
const ANSWER_DELAY_MS: u64 = 10;
/// From the answer to the receipt, in milliseconds: what a phone takes at its fastest.
const RECEIPT_DELAY_MS: u64 = 250;
/// What the simulated phones show, for those that follow a link in it: more than the contacts of a
/// demo.
const INBOX_MESSAGES_MAX: usize = 200_000;
/// The share of messages that the simulated phones do not take: life is not perfect.
const UNDELIVERED: f64 = 0.01;
/// Submissions without an answer: enough for some thousand a second at that delay.
const WINDOW: u16 = 50;
/// What the account starts with, in the currency of the settings: more parts at the default price
/// than a demo may send.
const START_BALANCE: Micros = Micros(2_000_000_000);
/// Everything is on one machine: a bind takes milliseconds.
const BIND_TIME_MAX: Duration = Duration::from_secs(10);

/// What the demo's Stripe is called with; it lets everybody in.
const STRIPE_KEY: &str = "sk_test_demo";

const ACCEPT: &str = "mutation Accept($input: AcceptOwnerLinkInput!) { acceptOwnerLink(input: \
    $input) { authentication { tokens { accessToken } } userErrors { code message } } }";

/// Everything that plays along, beside the server.
pub(super) struct Stage {
    /// Where the server is.
    pub(super) url: String,
    pub(super) account_id: String,
    /// How many demos went before on this store.
    pub(super) account_number: u32,
    /// A number of the account's, which phones can answer.
    pub(super) reply_number: String,
    pub(super) live_key: String,
    pub(super) test_key: String,
    /// The owner's, good for minutes.
    pub(super) owner_token: String,
    pub(super) owner_email: String,
    pub(super) owner_password: String,
    /// What the account is charged in.
    pub(super) currency: String,
    pub(super) stripe: FakeStripe,
    pub(super) data_dir: String,
    pub(super) smsc: SmscHandle,
}

/// Sets everything up and waits until the carrier is bound.
///
/// # Errors
/// If the SMSC cannot listen, does not get its bind, or the store fails.
pub(super) async fn set_up(app: &App) -> Result<Stage, Failure> {
    let platform = app.platform();
    let ctx = operator(app);
    let password = password(&ctx);
    let smsc = start_smsc(&ctx, &password).await.map_err(Failure::new)?;
    let account_number = identity::accounts_count(&ctx).await.map_err(Failure::new)?;
    let owner_email = format!("owner{account_number}@example.com");
    let new = NewAccount {
        name: "Demo".to_owned(),
        owner_email: owner_email.clone(),
        default_region: Some("DE".to_owned()),
    };
    let created = identity::create_account(&ctx, new).await.map_err(failure)?;
    let account_id = created.account.id;
    let start = CreditChange { add_balance: Some(START_BALANCE), ..CreditChange::default() };
    billing::set_credit(&ctx, account_id, start)
        .await
        .map_err(|error| Failure::new(format!("cannot give the account a balance: {error:?}")))?;
    // One of its own for each demo on a store.
    let reply_number = format!("+4915199{:06}", account_number % 1_000_000);
    for sender in [SENDER, reply_number.as_str()] {
        senders::approve_value(&ctx, account_id, sender)
            .await
            .map_err(|error| Failure::new(format!("cannot approve the sender: {error:?}")))?;
    }
    lead_all_numbers_to(&ctx, smsc.local_addr(), password).await?;
    let stripe = connect_stripe(&ctx).await?;
    let owner_password = data_encoding::HEXLOWER.encode(&ctx.randomness.bytes::<12>());
    let url = platform.settings.public_url();
    let owner_token = log_in(&url, created.owner_link.url.expose(), &owner_password).await?;
    let mut stats = smsc.watch_stats();
    let bound = timeout(BIND_TIME_MAX, stats.wait_for(|stats| stats.bound > 0)).await;
    if !matches!(bound, Ok(Ok(_))) {
        return Err(Failure::new("the server did not bind to the simulated SMSC"));
    }
    let settings = &platform.settings;
    Ok(Stage {
        url,
        account_id: account_id.to_string(),
        account_number: u32::try_from(account_number).unwrap_or(u32::MAX),
        reply_number,
        live_key: created.api_key.text.expose().to_owned(),
        test_key: created.test_api_key.text.expose().to_owned(),
        owner_token,
        owner_email,
        owner_password,
        currency: settings.billing.currency.to_string(),
        stripe,
        data_dir: settings.store.data_dir.display().to_string(),
        smsc,
    })
}

/// Whoever has a shell on the machine.
pub(super) fn operator(app: &App) -> Ctx {
    Ctx::new(Arc::clone(app.platform()), Actor::CommandLine, Arc::from("demo"))
}

/// Connects Stripe, or plays on where that of an earlier demo was.
async fn connect_stripe(ctx: &Ctx) -> Result<FakeStripe, Failure> {
    let rows = payments::processors(ctx).await.map_err(Failure::new)?;
    let earlier = rows.into_iter().find(|row| row.kind == ProcessorKind::Stripe);
    let port = earlier.as_ref().and_then(|row| port_of(row.base_url.as_deref()?));
    let stripe = FakeStripe::start(ctx, port.unwrap_or(0)).await.map_err(Failure::new)?;
    let row = match earlier {
        Some(row) => {
            let secret = stripe.webhook_secret.clone();
            payments::rotate_secret(ctx, row.id, secret).await.map_err(failure)?
        }
        None => {
            let new = NewProcessor {
                kind: ProcessorKind::Stripe,
                secret: stripe.webhook_secret.clone(),
                api_key: Some(SecretText::new(STRIPE_KEY.to_owned())),
                base_url: Some(stripe.url.clone()),
            };
            payments::add_processor(ctx, new).await.map_err(failure)?
        }
    };
    stripe.tell(format!("{}{}", ctx.settings.public_url(), payments::path(&row)));
    Ok(stripe)
}

fn port_of(base_url: &str) -> Option<u16> {
    base_url.parse::<http::Uri>().ok()?.port_u16()
}

/// Sets the owner's password by the link, and returns the access token.
async fn log_in(url: &str, link: &str, password: &str) -> Result<String, Failure> {
    let (_, token) = link.split_once('#').unwrap_or_default();
    let input = json!({ "token": token, "name": "Owner", "password": password });
    let client = Client::stranger(url).map_err(Failure::new)?;
    let data = client.call(ACCEPT, json!({ "input": input })).await.map_err(Failure::new)?;
    let accepted = &data["acceptOwnerLink"];
    let token = accepted["authentication"]["tokens"]["accessToken"].as_str();
    let token = token.ok_or_else(|| Failure::new(accepted["userErrors"].to_string()))?;
    Ok(token.to_owned())
}

async fn start_smsc(ctx: &Ctx, password: &SecretText) -> std::io::Result<SmscHandle> {
    let config = SmscConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        logins: vec![Login {
            system_id: SYSTEM_ID.to_owned(),
            password: Some(password.expose().to_owned()),
        }],
        delay_ms: ANSWER_DELAY_MS,
        receipt_delay_ms: RECEIPT_DELAY_MS,
        inbox_messages_max: INBOX_MESSAGES_MAX,
        shares: Shares { undelivered: UNDELIVERED, ..Shares::default() },
        ..SmscConfig::default()
    };
    let parts = CarrierPlatform { clock: ctx.clock.clone(), randomness: ctx.randomness.clone() };
    Smsc::start(config, parts, CancellationToken::new()).await
}

/// Eight characters, as SMPP allows.
fn password(ctx: &Ctx) -> SecretText {
    let bytes: [u8; 4] = ctx.randomness.bytes();
    SecretText::new(data_encoding::HEXLOWER.encode(&bytes))
}

/// Sets the carrier up, or leads the one of an earlier demo to the new address.
async fn lead_all_numbers_to(
    ctx: &Ctx,
    smsc: SocketAddr,
    password: SecretText,
) -> Result<(), Failure> {
    let mut settings = SmppSettings::new(&smsc.to_string(), SYSTEM_ID);
    settings.window = Window::Fixed(WINDOW);
    if let Some(earlier) = earlier_carrier(ctx).await? {
        let change = CarrierChange {
            settings: Some(settings),
            password: Some(password),
            ..CarrierChange::default()
        };
        registry::change(ctx, earlier.id, change).await.map_err(failure)?;
        return Ok(());
    }
    let new = NewCarrier { name: CARRIER.to_owned(), settings, password };
    let carrier = registry::add(ctx, new).await.map_err(failure)?;
    routing::create(ctx, NewRoute::new("+", carrier.id)).await.map_err(failure)?;
    Ok(())
}

async fn earlier_carrier(ctx: &Ctx) -> Result<Option<CarrierRow>, Failure> {
    let request = PageRequest { size: PAGE_ROWS_MAX, ..PageRequest::default() };
    let page = registry::page(ctx, &request).await.map_err(Failure::new)?;
    Ok(page.items.into_iter().find(|carrier| carrier.name == CARRIER))
}

/// A rejection here is a fault of the demo, not of its user.
fn failure<R: std::fmt::Display>(error: crate::error::Error<R>) -> Failure {
    match error {
        crate::error::Error::Rejected(rejection) => Failure::new(rejection.to_string()),
        crate::error::Error::Failed(failed) => Failure::new(failed),
    }
}
