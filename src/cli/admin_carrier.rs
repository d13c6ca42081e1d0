//! `heliograph admin add-carrier`, `approve-sender` and `list-carriers`: what the operator sets up
//! from a shell, beside a running server or before its first start.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use entity::carrier::Model as Carrier;
use entity::ids::{AccountId, CarrierId};
use serde_json::json;

use super::failure::Failure;
use crate::carriers::errors::{self, ERROR_FILE_BYTES_MAX, ErrorMapping};
use crate::carriers::registry::{self, AddRejection, NewCarrier, SmppSettings};
use crate::carriers::smpp::{TlsConfig, TlsRoots, Window};
use crate::ctx::Ctx;
use crate::db::page::{PAGE_ROWS_MAX, PageRequest};
use crate::error::{Error, Failed};
use crate::routing::{self, CreateRejection, NewRoute};
use crate::senders::{self, RegisterRejection};
use crate::types::secret::SecretText;

/// All numbers.
const ANY_PREFIX: &str = "+";

#[derive(Args, Clone, Debug)]
pub(super) struct AddCarrierArgs {
    /// What to call it; unique
    #[arg(long)]
    name: String,
    /// Where it is
    #[arg(long, value_name = "HOST:PORT")]
    smpp: String,
    /// The system id that it gave you
    #[arg(long, value_name = "ID")]
    system_id: String,
    /// A file that holds the password; a line break at its end does not belong to it
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
    /// How many binds, 1 to 50
    #[arg(long, default_value_t = 1)]
    binds: u16,
    /// At most this many parts a second, over all binds; without it as many as the window allows
    #[arg(long, value_name = "PARTS_PER_S")]
    rate: Option<f64>,
    /// Unanswered submissions on one bind, 1 to 1,000
    #[arg(long, default_value_t = 10)]
    window: u16,
    /// Use TLS; the name that the carrier's certificate must be for
    #[arg(long, value_name = "SERVER_NAME")]
    tls: Option<String>,
    /// A TOML file of what this carrier means by its errors, where that is not the default:
    /// [[command_status]], [[receipt_error]] and [[network_error]], each with value and code
    #[arg(long, value_name = "FILE")]
    error_table: Option<PathBuf>,
    /// Lead the numbers that begin so to it, +44; may be given several times. Without it all
    /// numbers that no other route leads elsewhere
    #[arg(long, value_name = "+…")]
    prefix: Vec<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Clone, Debug)]
pub(super) struct ApproveSenderArgs {
    /// The account, acct_…
    #[arg(long, value_name = "ID")]
    account: AccountId,
    /// A name of up to 11 characters, a number in E.164, or a short code
    #[arg(long, value_name = "SENDER")]
    sender: String,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Clone, Debug)]
pub(super) struct ListCarriersArgs {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Sets up a carrier and its routes, and returns what to print.
///
/// # Errors
/// A name or prefix that is taken, settings that cannot be used, a password file that cannot be
/// read: nothing was changed then. A prefix that is taken by another command at the same moment:
/// the carrier is there, and the fault says so.
pub(super) async fn add_carrier(ctx: &Ctx, args: &AddCarrierArgs) -> Result<String, Failure> {
    let new = NewCarrier {
        name: args.name.clone(),
        settings: settings(args)?,
        password: password(&args.password_file)?,
    };
    let taken = taken_prefixes(ctx).await?;
    let wanted = prefixes(args, &taken)?;
    let carrier = match registry::add(ctx, new).await {
        Ok(carrier) => carrier,
        Err(Error::Rejected(rejection)) => return Err(add_failure(&args.name, &rejection)),
        Err(Error::Failed(failed)) => return Err(Failure::new(failed)),
    };
    for prefix in &wanted {
        if let Err(error) = routing::create(ctx, NewRoute::new(prefix, carrier.id)).await {
            return Err(route_failure(&carrier, prefix, error));
        }
    }
    Ok(added(&carrier, &wanted, args))
}

/// Approves a sender, and returns what to print.
///
/// # Errors
/// No such account, or not a sender.
pub(super) async fn approve_sender(ctx: &Ctx, args: &ApproveSenderArgs) -> Result<String, Failure> {
    let sender = match senders::approve_value(ctx, args.account, &args.sender).await {
        Ok(sender) => sender,
        Err(Error::Rejected(rejection)) => return Err(Failure::usage(approve_text(&rejection))),
        Err(Error::Failed(failed)) => return Err(Failure::new(failed)),
    };
    if args.json {
        let answer = json!({ "senderId": sender.id, "value": sender.value });
        return Ok(format!("{answer}\n"));
    }
    Ok(format!("{} may send as {} ({})\n", args.account, sender.value, sender.id))
}

/// Lists the carriers, and returns what to print.
///
/// # Errors
/// The store's own.
pub(super) async fn list_carriers(ctx: &Ctx, args: &ListCarriersArgs) -> Result<String, Failure> {
    let carriers = all_carriers(ctx).await.map_err(Failure::new)?;
    let ids: Vec<CarrierId> = carriers.iter().map(|carrier| carrier.id).collect();
    let leases = registry::leases(ctx, &ids).await.map_err(Failure::new)?;
    let now = ctx.clock.now();
    let mut text = String::new();
    let mut list = Vec::new();
    for carrier in &carriers {
        let alive = leases.get(&carrier.id).filter(|lease| lease.expires_at_ms >= now);
        let links = alive.map_or(0, |lease| lease.bound_links);
        let address = registry::smpp_settings(carrier).map_err(Failure::new)?;
        let address = address.map_or_else(|| "built in".to_owned(), |settings| settings.address);
        let state = if carrier.enabled { "enabled" } else { "disabled" };
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{}  {}  {address}  {state}, {links} links up",
            carrier.id, carrier.name
        );
        list.push(json!({
            "carrierId": carrier.id, "name": carrier.name, "address": address,
            "enabled": carrier.enabled, "boundLinks": links,
        }));
    }
    if args.json {
        return Ok(format!("{}\n", json!({ "carriers": list })));
    }
    Ok(text)
}

async fn all_carriers(ctx: &Ctx) -> Result<Vec<Carrier>, Failed> {
    let mut request = PageRequest { size: PAGE_ROWS_MAX, ..PageRequest::default() };
    let mut carriers: Vec<Carrier> = Vec::new();
    loop {
        let page = registry::page(ctx, &request).await?;
        carriers.extend(page.items);
        if !page.has_next {
            return Ok(carriers);
        }
        request.after = carriers.last().map(|carrier| carrier.id);
    }
}

async fn taken_prefixes(ctx: &Ctx) -> Result<Vec<String>, Failure> {
    let mut request = PageRequest { size: PAGE_ROWS_MAX, ..PageRequest::default() };
    let mut prefixes: Vec<String> = Vec::new();
    loop {
        let page = routing::page(ctx, &request).await.map_err(Failure::new)?;
        prefixes.extend(page.items.into_iter().map(|route| route.prefix));
        if !page.has_next {
            return Ok(prefixes);
        }
        request.after = prefixes.last().cloned();
    }
}

/// The prefixes to lead to the carrier, checked before anything is changed.
fn prefixes(args: &AddCarrierArgs, taken: &[String]) -> Result<Vec<String>, Failure> {
    if args.prefix.is_empty() {
        let is_taken = taken.iter().any(String::is_empty);
        return Ok(if is_taken { Vec::new() } else { vec![ANY_PREFIX.to_owned()] });
    }
    for prefix in &args.prefix {
        let digits = routing::prefix_digits(prefix).ok_or_else(|| {
            Failure::usage(format!("{prefix}: {}", CreateRejection::InvalidPrefix))
        })?;
        if taken.contains(&digits) {
            return Err(Failure::usage(format!("{prefix}: {}", CreateRejection::PrefixTaken)));
        }
    }
    Ok(args.prefix.clone())
}

fn settings(args: &AddCarrierArgs) -> Result<SmppSettings, Failure> {
    let mut settings = SmppSettings::new(&args.smpp, &args.system_id);
    settings.binds = args.binds;
    settings.window = Window::Fixed(args.window);
    settings.rate_parts_per_s = args.rate;
    settings.tls =
        args.tls.clone().map(|server_name| TlsConfig { server_name, roots: TlsRoots::default() });
    if let Some(file) = &args.error_table {
        settings.error_table = error_table(file)?;
    }
    Ok(settings)
}

fn error_table(file: &Path) -> Result<Vec<ErrorMapping>, Failure> {
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read the error table from {}: {why}", file.display()))
    };
    let size = std::fs::metadata(file).map_err(|error| cannot(&error))?.len();
    if size > ERROR_FILE_BYTES_MAX {
        return Err(cannot(&format!("it is longer than {ERROR_FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| cannot(&error))?;
    errors::read_file(&text).map_err(|error| cannot(&error))
}

fn password(file: &Path) -> Result<SecretText, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read the password from {}: {error}", file.display()))
    })?;
    let text = zeroize::Zeroizing::new(text);
    Ok(SecretText::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn added(carrier: &Carrier, prefixes: &[String], args: &AddCarrierArgs) -> String {
    if args.json {
        let answer = json!({ "carrierId": carrier.id, "name": carrier.name, "prefixes": prefixes });
        return format!("{answer}\n");
    }
    let mut text = format!("added {} ({})\n", carrier.name, carrier.id);
    match prefixes {
        [] => text.push_str(
            "all numbers have a route already, so none leads here yet: give --prefix, or make a \
             route by the API\n",
        ),
        prefixes => {
            for prefix in prefixes {
                let numbers = if prefix == ANY_PREFIX { "all other numbers" } else { prefix };
                // Writing into a string cannot fail.
                let _ = writeln!(text, "{numbers} → {}", carrier.name);
            }
        }
    }
    text
}

fn add_failure(name: &str, rejection: &AddRejection) -> Failure {
    match rejection {
        AddRejection::NameTaken => Failure::usage(format!(
            "there is a carrier named {name} already: choose another name, or change it by the API"
        )),
        AddRejection::InvalidName | AddRejection::Settings(_) | AddRejection::TooMany => {
            Failure::usage(rejection.to_string())
        }
    }
}

fn route_failure(carrier: &Carrier, prefix: &str, error: Error<CreateRejection>) -> Failure {
    match error {
        Error::Rejected(rejection) => Failure::new(format!(
            "{} was added as {}, but {prefix} does not lead to it: {rejection}",
            carrier.name, carrier.id
        )),
        Error::Failed(failed) => Failure::new(failed),
    }
}

fn approve_text(rejection: &RegisterRejection) -> String {
    match rejection {
        RegisterRejection::Invalid(error) => error.to_string(),
        RegisterRejection::NoSuchAccount => "there is no such account".to_owned(),
        RegisterRejection::TooMany => {
            "the account has as many senders as an account may have".to_owned()
        }
        // Registered by somebody else at the same moment, so it is there to be approved.
        RegisterRejection::AlreadyRegistered => {
            "the sender was registered just now: try again".to_owned()
        }
    }
}
