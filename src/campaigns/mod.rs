//! Campaigns: one text to an audience, exactly one message a contact, whatever crashes on the way.
//!
//! Invariants:
//! - A status moves by one compare-and-set from the statuses that it may come from (`model`).
//! - The audience is **frozen** when the campaign starts: its segments become one condition, and the
//!   contacts of whom it holds become rows, some thousands a transaction, with the cursor in the same
//!   transaction (`recipients`).
//! - Recipients are **expanded** into messages in the order of their ids: the cursor, the messages,
//!   their holds and their events are one transaction, which begins with the compare-and-set of the
//!   cursor in a campaign that still runs (`expand`). So two workers, a killed one and a paused one
//!   make each message once. The index `message_campaign` is the second wall.
//! - Pausing and canceling hold the account's fence alone, as an opt-out does: once they are
//!   committed nothing of the campaign is claimed. What waits is then held or canceled, some hundreds
//!   a transaction (`sweep`).
//! - What became of messages is folded from the event log with the roll-ups, never counted.
//! - Which variant of the text a contact gets is a keyed hash of the contact (`split`), so messages
//!   that are made again are the same.
//!
//! `template` (text with merge fields), `addresses` (links and preference pages in it), `variants`
//! (several of them), `wording` (what is said to whom), `commands` (make and change), `lifecycle`
//! (what a person does with one), `work` (the worker), `preview` (what it would take, and tests),
//! `queries`, `progress` (the stream), `retry` (campaigns to those whose message failed).

mod addresses;
mod commands;
mod expand;
mod lifecycle;
mod model;
mod preview;
mod progress;
mod queries;
mod readiness;
mod recipients;
mod retry;
mod split;
mod sweep;
mod template;
mod variants;
mod wording;
mod work;

pub use commands::{CampaignChange, NewCampaign, SendTime, WriteCampaignRejection, create, update};
pub use lifecycle::{LifecycleRejection, cancel, pause, resume, schedule, start};
pub use model::StartRejection;
pub use preview::{
    CampaignTest, CampaignTestRejection, EXAMPLES_MAX, Example, Examples, Preview,
    PreviewRejection, SAMPLE_MAX, TEST_NUMBERS_MAX, VariantPreview, preview, send_test,
};
pub use progress::{Progress, Progresses, follow};
pub use queries::{
    by_ids, campaigns_count, campaigns_page, links, messages_count, messages_page, totals, variants,
};
pub use retry::{RetryRejection, retries, retry_failed};
pub use template::{TEMPLATE_CHARS_MAX, Template, TemplateFault};
pub use variants::{
    NewVariant, VARIANT_NAME_CHARS_MAX, VARIANTS_MAX, VARIANTS_MIN, VariantFault, WEIGHT_MAX,
};
pub use work::run;

/// Characters of a campaign's name.
pub const NAME_CHARS_MAX: usize = 100;
/// Messages a second that a campaign may be limited to; more no carrier takes.
pub const RATE_PER_S_MAX: i32 = 100_000;
/// How far ahead a campaign may be scheduled, in ms: a year.
pub const SCHEDULE_AHEAD_MAX_MS: i64 = 366 * 24 * 3_600_000;
/// Campaigns of an account that are scheduled, run or are paused at a time.
pub const ACTIVE_MAX: u64 = 100;
