//! The periodic work of a worker: which job runs how often. What a job does stands in its domain.

use std::sync::Arc;
use std::time::Duration;

use super::payments::{ASK, FOLD};
use crate::billing::{Prices, invoices, packages, plans};
use crate::campaigns;
use crate::contacts;
use crate::ctx::Platform;
use crate::jobs::Schedule;
use crate::links;
use crate::messages::commands::Tables;
use crate::messages::{auto_reply, inbound_parts, sweeps};
use crate::payments;
use crate::rollups::{self, Folder};
use crate::routing::Routes;

/// All of it.
pub(super) fn all(platform: &Platform) -> Vec<Schedule> {
    let (db, clock, doorbell) = (&platform.db, &platform.clock, &platform.doorbell);
    let routes = Routes::new(db.clone(), clock.clone(), doorbell);
    let prices = Prices::new(db.clone(), clock.clone(), doorbell, &platform.settings);
    let (campaign_routes, campaign_prices) = (routes.clone(), prices.clone());
    let folder = Arc::new(Folder::default());
    vec![
        // What a phone asked for is answered at most this late.
        Schedule::new("messages.answer_keywords", Duration::from_secs(1), move |ctx| {
            let (routes, prices) = (routes.clone(), prices.clone());
            async move {
                let routes = routes.current().await?;
                let tables = Tables { routes, prices: prices.current().await? };
                auto_reply::answer_pending(&ctx, &tables).await
            }
        }),
        // A scheduled message leaves at most this late.
        Schedule::new("messages.queue_scheduled", Duration::from_secs(1), |ctx| async move {
            sweeps::queue_scheduled(&ctx).await
        }),
        Schedule::new("messages.expire_queued", Duration::from_secs(5), |ctx| async move {
            sweeps::expire_queued(&ctx).await
        }),
        Schedule::new("messages.time_out_receipts", Duration::from_secs(60), |ctx| async move {
            sweeps::time_out_receipts(&ctx).await
        }),
        Schedule::new("messages.release_unknown", Duration::from_secs(600), |ctx| async move {
            sweeps::release_unknown(&ctx).await
        }),
        Schedule::new(
            "messages.give_up_missing_parts",
            Duration::from_secs(60),
            |ctx| async move { inbound_parts::give_up(&ctx).await },
        ),
        // An uploaded file is begun with at most this late.
        Schedule::new("contacts.import", Duration::from_secs(1), |ctx| async move {
            contacts::imports::run_imports(&ctx).await
        }),
        Schedule::new("contacts.purge_imports", Duration::from_secs(60), |ctx| async move {
            contacts::imports::purge(&ctx).await
        }),
        Schedule::new("contacts.purge_deleted", Duration::from_secs(60), |ctx| async move {
            contacts::purge_deleted(&ctx).await
        }),
        Schedule::new("billing.charge_plans", Duration::from_secs(600), |ctx| async move {
            plans::charge_due(&ctx).await
        }),
        Schedule::new("billing.close_packages", Duration::from_secs(60), |ctx| async move {
            packages::close_due(&ctx).await
        }),
        // A campaign begins and goes on at most this late.
        Schedule::new("campaigns.run", Duration::from_secs(1), move |ctx| {
            let (routes, prices) = (campaign_routes.clone(), campaign_prices.clone());
            async move {
                let routes = routes.current().await?;
                let tables = Tables { routes, prices: prices.current().await? };
                campaigns::run(&ctx, &tables).await
            }
        }),
        // How old charts are at most, beside the time that a fold takes.
        Schedule::new("rollups.fold", Duration::from_secs(1), move |ctx| {
            let folder = Arc::clone(&folder);
            async move { folder.fold(&ctx).await }
        }),
        Schedule::new("rollups.purge", Duration::from_secs(3_600), |ctx| async move {
            rollups::purge(&ctx).await
        }),
        Schedule::new("messages.purge", Duration::from_secs(600), |ctx| async move {
            sweeps::purge(&ctx).await
        }),
        Schedule::new("links.purge_clicks", Duration::from_secs(3_600), |ctx| async move {
            links::purge(&ctx).await
        }),
        Schedule::new("invoices.make_monthly", Duration::from_secs(600), |ctx| async move {
            invoices::make_monthly(&ctx).await
        }),
        Schedule::new("invoices.mark_overdue", Duration::from_secs(600), |ctx| async move {
            invoices::mark_overdue(&ctx).await
        }),
        Schedule::new("invoices.remind", Duration::from_secs(600), |ctx| async move {
            invoices::remind(&ctx).await
        }),
        Schedule::new("invoices.suspend_overdue", Duration::from_secs(600), |ctx| async move {
            invoices::suspend_overdue(&ctx).await
        }),
        Schedule::new("invoices.deliver_mail", Duration::from_secs(10), |ctx| async move {
            invoices::deliver_mail(&ctx).await
        }),
        // Beside the doorbell, which wakes it at once.
        Schedule::new(
            FOLD.job,
            Duration::from_secs(1),
            |ctx| async move { payments::fold(&ctx).await },
        ),
        Schedule::new(ASK.job, Duration::from_secs(5), |ctx| async move {
            payments::ask_hints(&ctx).await
        }),
        Schedule::new("payments.sweep_events", Duration::from_secs(300), |ctx| async move {
            payments::sweep_events(&ctx).await
        }),
        Schedule::new("payments.poll", Duration::from_secs(30), |ctx| async move {
            payments::poll_payments(&ctx).await
        }),
        Schedule::new("payments.reconcile", Duration::from_secs(600), |ctx| async move {
            payments::reconcile(&ctx).await
        }),
        Schedule::new("payments.top_up", Duration::from_secs(30), |ctx| async move {
            payments::top_up_accounts(&ctx).await
        }),
        Schedule::new("payments.detach_methods", Duration::from_secs(600), |ctx| async move {
            payments::detach_removed(&ctx).await
        }),
        Schedule::new("payments.purge_inbox", Duration::from_secs(3_600), |ctx| async move {
            payments::purge_inbox(&ctx).await
        }),
        Schedule::new("payments.settle_unmatched", Duration::from_secs(600), |ctx| async move {
            payments::settle_unmatched(&ctx).await
        }),
    ]
}
