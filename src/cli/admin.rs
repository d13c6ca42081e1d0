//! `heliograph admin …`: the operator's work from a shell, on the same store as a server, beside it
//! or before its first start. It opens the store, runs one command of a domain as
//! [`Actor::CommandLine`], and prints.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::admin_account::{
    self, CreateAccountArgs, OwnerLinkArgs, ReactivateAccountArgs, RotateSigningKeyArgs,
    SuspendAccountArgs,
};
use super::admin_billing::{self, SetCreditArgs, VerifyLedgerArgs};
use super::admin_carrier::{self, AddCarrierArgs, ApproveSenderArgs, ListCarriersArgs};
use super::admin_payments::{self, AddProcessorArgs, ListWebhooksArgs, RetryWebhookArgs};
use super::admin_people::{self, RemovePersonArgs, SetRoleArgs};
use super::admin_rates::{self, ImportRatesArgs};
use super::failure::Failure;
use super::store_args::StoreArgs;
use crate::app::{self, AppParts};
use crate::authz::Actor;
use crate::ctx::Ctx;

#[derive(Args)]
pub(super) struct AdminArgs {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    CreateAccount(OnStore<CreateAccountArgs>),
    OwnerLink(OnStore<OwnerLinkArgs>),
    SuspendAccount(OnStore<SuspendAccountArgs>),
    ReactivateAccount(OnStore<ReactivateAccountArgs>),
    SetRole(OnStore<SetRoleArgs>),
    RemovePerson(OnStore<RemovePersonArgs>),
    RotateSigningKey(OnStore<RotateSigningKeyArgs>),
    AddCarrier(OnStore<AddCarrierArgs>),
    ListCarriers(OnStore<ListCarriersArgs>),
    ApproveSender(OnStore<ApproveSenderArgs>),
    SetCredit(OnStore<SetCreditArgs>),
    VerifyLedger(OnStore<VerifyLedgerArgs>),
    ImportRates(OnStore<ImportRatesArgs>),
    AddProcessor(OnStore<AddProcessorArgs>),
    #[command(subcommand)]
    Webhooks(Webhooks),
}

/// What payment processors told
#[derive(Subcommand)]
enum Webhooks {
    List(OnStore<ListWebhooksArgs>),
    Retry(OnStore<RetryWebhookArgs>),
}

/// A command with the flags that say where the store is.
#[derive(Args)]
struct OnStore<A: Args> {
    #[command(flatten)]
    command: A,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) async fn run(args: AdminArgs) -> Result<ExitCode, Failure> {
    let text = match &args.task {
        Task::CreateAccount(on) => {
            admin_account::create_account(&open(&on.store).await?, &on.command).await?
        }
        Task::OwnerLink(on) => {
            admin_account::owner_link(&open(&on.store).await?, &on.command).await?
        }
        Task::SuspendAccount(on) => {
            admin_account::suspend_account(&open(&on.store).await?, &on.command).await?
        }
        Task::ReactivateAccount(on) => {
            admin_account::reactivate_account(&open(&on.store).await?, &on.command).await?
        }
        Task::SetRole(on) => admin_people::set_role(&open(&on.store).await?, &on.command).await?,
        Task::RemovePerson(on) => {
            admin_people::remove_person(&open(&on.store).await?, &on.command).await?
        }
        Task::RotateSigningKey(on) => {
            admin_account::rotate_signing_key(&open(&on.store).await?, &on.command).await?
        }
        Task::AddCarrier(on) => {
            admin_carrier::add_carrier(&open(&on.store).await?, &on.command).await?
        }
        Task::ListCarriers(on) => {
            admin_carrier::list_carriers(&open(&on.store).await?, &on.command).await?
        }
        Task::ApproveSender(on) => {
            admin_carrier::approve_sender(&open(&on.store).await?, &on.command).await?
        }
        Task::SetCredit(on) => {
            admin_billing::set_credit(&open(&on.store).await?, &on.command).await?
        }
        Task::VerifyLedger(on) => {
            admin_billing::verify_ledger(&open(&on.store).await?, &on.command).await?
        }
        Task::ImportRates(on) => {
            admin_rates::import_rates(&open(&on.store).await?, &on.command).await?
        }
        Task::AddProcessor(on) => {
            admin_payments::add_processor(&open(&on.store).await?, &on.command).await?
        }
        Task::Webhooks(Webhooks::List(on)) => {
            admin_payments::list_webhooks(&open(&on.store).await?, &on.command).await?
        }
        Task::Webhooks(Webhooks::Retry(on)) => {
            admin_payments::retry_webhook(&open(&on.store).await?, &on.command).await?
        }
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(Failure::new)?;
    Ok(ExitCode::SUCCESS)
}

async fn open(store: &StoreArgs) -> Result<Ctx, Failure> {
    let platform = app::open_platform(store.settings()?, AppParts::system());
    let platform = platform.await.map_err(Failure::new)?;
    Ok(Ctx::new(platform, Actor::CommandLine, Arc::from("command line")))
}
