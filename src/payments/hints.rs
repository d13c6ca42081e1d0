//! Hints: webhooks that are not signed, or with a token that never changes. They move no money: the
//! processor is asked for the objects that they name, and its answer enters by the inbox.
//!
//! Hints of the same object are one question, and a run asks each processor a limited number of
//! them: whoever can make hints cannot make us flood a processor.

use std::collections::BTreeMap;

use entity::enums::{PaymentPurpose, WebhookState};
use entity::ids::{PaymentId, ProcessorId, WebhookEventId};
use entity::webhook_event::{ActiveModel, Column, Entity, Model};
use entity::{payment, payment_object, processor_endpoint};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use super::api::{About, ApiError, ProcessorApi, Unasked, connect};
use super::endpoints::all_callable;
use super::facts::{Fact, ObjectId, PaymentFacts, PaymentReference};
use super::inbox::{HINT_ONLY, Told, record};
use crate::ctx::Ctx;
use crate::error::Failed;

/// Hints of one processor read in one run.
const HINTS_MAX: u64 = 200;
/// Objects that one processor is asked for in one run: with a run a second, far below what
/// processors allow.
const QUESTIONS_MAX: usize = 20;
/// Objects asked for because of one hint.
const OBJECTS_MAX: usize = 4;
/// Tries before a hint waits for a person: with the waits between them about an hour and a half.
const TRIES_MAX: i32 = 10;
/// Tries after which a processor that knows nothing is believed: a minute. It may tell before it
/// can answer.
const DENIALS_MAX: i32 = 5;
/// Wait after the first try, doubled for each further one.
const RETRY_DELAY_MS: i64 = 5_000;

/// The processor knows nothing of what the hint names, or it is not ours.
const NOT_CONFIRMED: &str = "NOT_CONFIRMED";
/// The processor did not answer.
const UNANSWERED: &str = "UNANSWERED";
/// Why a hint was put aside for a person.
pub(super) const REASONS: [&str; 2] = [NOT_CONFIRMED, UNANSWERED];

/// What came of a hint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The processor said how it is.
    Told,
    /// It knows nothing.
    Denied,
    /// It did not answer, or not so that it can be read.
    Unanswered,
}

/// Asks processors about their hints; returns how many hints were dealt with. Idempotent.
///
/// # Errors
/// The store's own. A processor that does not answer is asked again later.
pub async fn ask_hints(ctx: &Ctx) -> Result<u64, Failed> {
    let mut dealt_with = 0;
    for endpoint in all_callable(ctx).await? {
        let hints = due(ctx, endpoint.id).await?;
        if hints.is_empty() {
            continue;
        }
        let api = match connect(ctx, &endpoint) {
            Ok(Some(api)) => api,
            Ok(None) => continue,
            Err(Unasked::Store(failed)) => return Err(failed),
            Err(Unasked::Api(error)) => {
                tracing::error!(processor.id = %endpoint.id, %error, "cannot ask about hints");
                continue;
            }
        };
        let mut questions =
            Questions { ctx, api, endpoint: &endpoint, answers: BTreeMap::new(), is_down: false };
        for hint in &hints {
            let Some(outcome) = questions.ask(hint).await? else { break };
            settle(ctx, hint, outcome).await?;
            dealt_with += 1;
        }
    }
    Ok(dealt_with)
}

async fn due(ctx: &Ctx, endpoint_id: ProcessorId) -> Result<Vec<Model>, Failed> {
    let due = Entity::find()
        .filter(Column::State.eq(WebhookState::Parked))
        .filter(Column::Reason.eq(HINT_ONLY))
        .filter(Column::EndpointId.eq(endpoint_id))
        .filter(Column::NextAtMs.lte(ctx.clock.now()))
        .order_by_asc(Column::Id)
        .limit(HINTS_MAX);
    Ok(due.all(ctx.db.reader()).await?)
}

/// What one processor is asked in one run.
struct Questions<'a> {
    ctx: &'a Ctx,
    api: Box<dyn ProcessorApi>,
    endpoint: &'a processor_endpoint::Model,
    /// By object: hints of the same one share the answer.
    answers: BTreeMap<ObjectId, Outcome>,
    is_down: bool,
}

impl Questions<'_> {
    /// Asks for what a hint names; `None` if that has to wait for another run.
    async fn ask(&mut self, hint: &Model) -> Result<Option<Outcome>, Failed> {
        let named: Vec<Fact> = serde_json::from_str(&hint.facts).map_err(Failed::internal)?;
        let mut outcome = Outcome::Denied;
        for facts in named.iter().filter_map(payment_facts) {
            let about = self.about(facts).await?;
            let objects = facts.objects.iter().filter(|id| self.api.can_look_up(id));
            for id in objects.take(OBJECTS_MAX).cloned().collect::<Vec<_>>() {
                let known = self.answers.get(&id).copied();
                let answer = match known {
                    Some(answer) => answer,
                    None if self.is_down || self.answers.len() >= QUESTIONS_MAX => {
                        return Ok(None);
                    }
                    None => self.look_up(&id, &about).await?,
                };
                self.answers.insert(id, answer);
                outcome = match (outcome, answer) {
                    (Outcome::Unanswered, _) | (_, Outcome::Unanswered) => Outcome::Unanswered,
                    (Outcome::Told, _) | (_, Outcome::Told) => Outcome::Told,
                    (Outcome::Denied, Outcome::Denied) => Outcome::Denied,
                };
            }
        }
        Ok(Some(outcome))
    }

    async fn look_up(&mut self, id: &ObjectId, about: &About) -> Result<Outcome, Failed> {
        match self.api.look_up(id, about).await {
            Ok(told) if told.is_empty() => Ok(Outcome::Denied),
            Ok(told) => {
                let told = told.into_iter().map(|fact| Told::Facts(vec![fact])).collect();
                record(self.ctx, self.endpoint.id, told).await?;
                Ok(Outcome::Told)
            }
            Err(error) => {
                self.is_down = error == ApiError::Unreachable;
                tracing::warn!(processor.id = %self.endpoint.id, %error, "a hint is not answered");
                Ok(Outcome::Unanswered)
            }
        }
    }

    /// The payment of ours that a hint is about, by our id or by an object that is known to be its.
    async fn about(&self, facts: &PaymentFacts) -> Result<About, Failed> {
        let named = facts.references.iter().map(PaymentReference::as_str);
        let mut ids: Vec<PaymentId> = named.filter_map(|text| text.parse().ok()).collect();
        let objects = payment_object::Entity::find()
            .filter(payment_object::Column::EndpointId.eq(self.endpoint.id))
            .filter(
                payment_object::Column::ObjectId.is_in(facts.objects.iter().map(ObjectId::as_str)),
            )
            .all(self.ctx.db.reader())
            .await?;
        ids.extend(objects.into_iter().map(|row| row.payment_id));
        let found = payment::Entity::find()
            .filter(payment::Column::Id.is_in(ids))
            .filter(payment::Column::EndpointId.eq(self.endpoint.id))
            .filter(payment::Column::Purpose.ne(PaymentPurpose::Unmatched))
            .one(self.ctx.db.reader())
            .await?;
        Ok(found.as_ref().map(About::payment).unwrap_or_default())
    }
}

fn payment_facts(fact: &Fact) -> Option<&PaymentFacts> {
    match fact {
        Fact::Payment(facts) => Some(facts),
        Fact::Payout(_) | Fact::BalanceTransaction(_) | Fact::SavedMethod(_) => None,
    }
}

/// Keeps what came of a hint, unless somebody else has dealt with it meanwhile.
async fn settle(ctx: &Ctx, hint: &Model, outcome: Outcome) -> Result<(), Failed> {
    let tries = hint.attempts + 1;
    let (state, reason) = match outcome {
        Outcome::Told => (WebhookState::Folded, None),
        Outcome::Denied if tries >= DENIALS_MAX => (WebhookState::Parked, Some(NOT_CONFIRMED)),
        Outcome::Unanswered if tries >= TRIES_MAX => (WebhookState::Dead, Some(UNANSWERED)),
        Outcome::Denied | Outcome::Unanswered => (WebhookState::Parked, Some(HINT_ONLY)),
    };
    let wait_ms = RETRY_DELAY_MS << hint.attempts.clamp(0, TRIES_MAX);
    let change = &ActiveModel {
        state: Set(state),
        reason: Set(reason.map(str::to_owned)),
        attempts: Set(if outcome == Outcome::Told { hint.attempts } else { tries }),
        next_at_ms: Set(ctx.clock.now().plus_ms(wait_ms)),
        ..Default::default()
    };
    let id: WebhookEventId = hint.id;
    let settled = ctx
        .db
        .write(|tx| async move {
            Entity::update_many()
                .set(change.clone())
                .filter(Column::Id.eq(id))
                .filter(Column::Reason.eq(HINT_ONLY))
                .exec(&*tx)
                .await
                .map(drop)
        })
        .await;
    settled.map_err(|error: sea_orm::DbErr| error.into())
}
