//! Making a campaign's messages: recipients in the order of their ids, some hundreds a transaction,
//! through the checks of `sendMessages`. While one chunk is written the next is prepared; a chunk
//! that turns out to be somebody else's by then is thrown away.

use std::collections::BTreeSet;

use entity::campaign::Model;
use entity::enums::{CampaignReason, CampaignStatus, KeyMode};
use entity::ids::ContactId;
use sea_orm::DbErr;

use super::addresses::{self, Page};
use super::lifecycle::end_by_itself;
use super::model::{LocalTime, Rate};
use super::recipients::{self, Advance};
use super::template::Template;
use super::wording::Wording;
use super::work::Work;
use crate::contacts;
use crate::ctx::Ctx;
use crate::db::TransactionError;
use crate::error::{Error, Failed};
use crate::links::Shortener;
use crate::messages::campaigns::{self as messages, Of, Prepared, To};
use crate::messages::commands::{BatchRejection, Tables};
use crate::messages::quiet_hours::Timing;
use crate::messages::{ItemErrorCode, NewMessage};

/// Recipients of one transaction.
const CHUNK_MAX: i64 = 1_000;
/// Transactions of one turn, after which other campaigns have theirs; all of a round share them.
const CHUNKS_OF_TURN: usize = 20;

/// A campaign on its way through its recipients.
struct Walk<'a> {
    ctx: &'a Ctx,
    tables: &'a Tables,
    campaign: &'a Model,
    wording: Wording,
    keys: BTreeSet<String>,
    /// Of each of its texts.
    shorteners: Vec<Shortener>,
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug)]
struct Place {
    after: Option<ContactId>,
    expanded: i64,
}

/// Recipients that are ready to be written.
struct Chunk {
    advance: Advance,
    refusals: Vec<(ContactId, String)>,
    prepared: Prepared,
}

/// What came of preparing a chunk.
enum Next {
    Chunk(Box<Chunk>),
    /// Nothing now.
    Wait,
    /// Nobody is left.
    Nobody,
    /// Nothing can be sent until a person sees to it.
    Stop(CampaignReason),
}

/// What came of writing a chunk.
enum Written {
    Done,
    /// The campaign does not run any more, or somebody else made these messages.
    Elsewhere,
    Unaffordable,
}

/// Makes the next messages of a running campaign whose audience is frozen. Says how many recipients
/// it dealt with.
///
/// # Errors
/// [`Failed`]; what was committed before stays.
pub(super) async fn expand(ctx: &Ctx, work: Work<'_>, campaign: &Model) -> Result<u64, Failed> {
    let wording = Wording::of(ctx, campaign).await?;
    let keys = wording.keys();
    let Ok(shorteners) = addresses::shorteners(ctx, campaign, wording.templates()).await? else {
        let reason = Some(CampaignReason::LinkDomainNotVerified);
        end_by_itself(ctx, campaign, CampaignStatus::Paused, reason).await?;
        return Ok(0);
    };
    let walk = Walk { ctx, tables: work.tables, campaign, wording, keys, shorteners };
    walk.walk((CHUNKS_OF_TURN / work.at_once.max(1)).max(1)).await
}

impl Walk<'_> {
    async fn walk(&self, chunks: usize) -> Result<u64, Failed> {
        let campaign = self.campaign;
        let mut place = Place { after: campaign.expanded_after, expanded: campaign.expanded };
        let mut chunk_max = CHUNK_MAX;
        let mut next = self.prepare(place, chunk_max).await?;
        for _ in 0..chunks {
            let chunk = match next {
                Next::Chunk(chunk) => chunk,
                Next::Wait => break,
                Next::Nobody => {
                    recipients::end(self.ctx, campaign).await?;
                    break;
                }
                Next::Stop(reason) => {
                    let (to, reason) = (CampaignStatus::Paused, Some(reason));
                    end_by_itself(self.ctx, campaign, to, reason).await?;
                    break;
                }
            };
            let behind = chunk.place_behind();
            let (written, prepared) =
                futures::join!(self.write(&chunk), self.prepare(behind, chunk_max));
            match written? {
                Written::Done => {
                    chunk.prepared.ring(self.ctx);
                    place = behind;
                    next = prepared?;
                }
                Written::Elsewhere => break,
                Written::Unaffordable if chunk.len() == 1 => {
                    next = Next::Stop(CampaignReason::InsufficientCredit);
                }
                // As far as the money goes, to the last message.
                Written::Unaffordable => {
                    chunk_max = chunk.len() / 2;
                    next = self.prepare(place, chunk_max).await?;
                }
            }
        }
        Ok(u64::try_from(place.expanded - campaign.expanded).unwrap_or_default())
    }

    async fn prepare(&self, place: Place, chunk_max: i64) -> Result<Next, Failed> {
        let Self { ctx, campaign, .. } = *self;
        let left = campaign.recipients - place.expanded;
        if left <= 0 {
            return Ok(Next::Nobody);
        }
        let (paced, allowed) = self.pace(place);
        let limit = chunk_max.min(allowed);
        if limit <= 0 {
            return Ok(Next::Wait);
        }
        let limit = u64::try_from(limit).unwrap_or_default();
        let ids = recipients::next(ctx, campaign, place.after, limit).await?;
        let Some(last) = ids.last().copied() else {
            return Err(Failed::internal("recipients of a campaign are missing"));
        };
        let (items, mut refusals) = self.items(place, &ids).await?;
        let of = Of {
            account_id: campaign.account_id,
            campaign_id: campaign.id,
            mode: if campaign.is_test { KeyMode::Test } else { KeyMode::Live },
            timing: timing(campaign, place.expanded),
        };
        let prepared = match messages::prepare(ctx, self.tables, of, items).await {
            Ok(prepared) => prepared,
            Err(Error::Rejected(BatchRejection::AccountSuspended)) => {
                return Ok(Next::Stop(CampaignReason::AccountSuspended));
            }
            Err(Error::Rejected(other)) => return Err(Failed::internal(other)),
            Err(Error::Failed(failed)) => return Err(failed),
        };
        let mut suppressed = 0;
        for (contact_id, error) in prepared.refusals() {
            match error.code {
                ItemErrorCode::PaymentOverdue => {
                    return Ok(Next::Stop(CampaignReason::PaymentOverdue));
                }
                ItemErrorCode::SenderNotApproved => {
                    return Ok(Next::Stop(CampaignReason::SenderNotApproved));
                }
                // It is worth waiting for.
                ItemErrorCode::BacklogTooLong => return Ok(Next::Wait),
                ItemErrorCode::RecipientOptedOut => suppressed += 1,
                _ => {}
            }
            refusals.push((contact_id, code_of(error.code)?));
        }
        let (accepted, price) = prepared.total();
        let price = price.ok_or_else(|| Failed::internal("beyond 64 bits"))?;
        let advance = Advance {
            expanded: place.expanded,
            last,
            accepted: count(accepted),
            suppressed,
            refused: count(refusals.len()) - suppressed,
            price_micros: price.0,
            paced,
        };
        Ok(Next::Chunk(Box::new(Chunk { advance, refusals, prepared })))
    }

    /// From when the rate is counted, and how many recipients may be expanded now.
    fn pace(&self, place: Place) -> ((Option<entity::time::UnixMillis>, i64), i64) {
        let campaign = self.campaign;
        let (Some(per_s), Some(from)) = (campaign.rate_per_s, campaign.paced_from_ms) else {
            return ((campaign.paced_from_ms, campaign.paced_after), i64::MAX);
        };
        let rate = Rate { per_s, from, after: campaign.paced_after };
        let (rate, allowed) = rate.allowance(place.expanded, self.ctx.clock.now());
        ((Some(rate.from), rate.after), allowed)
    }

    /// A message to each recipient who is still a contact; the others are refused.
    async fn items(
        &self,
        place: Place,
        ids: &[ContactId],
    ) -> Result<(Vec<(To, NewMessage)>, Vec<(ContactId, String)>), DbErr> {
        let campaign = self.campaign;
        let mut people =
            contacts::people(&self.ctx.db, campaign.account_id, ids, &self.keys).await?;
        let mut items = Vec::with_capacity(ids.len());
        let mut refusals = Vec::new();
        for (id, number) in ids.iter().zip(place.expanded + 1..) {
            let Some(mut person) = people.remove(id) else {
                refusals.push((*id, "CONTACT_DELETED".to_owned()));
                continue;
            };
            let which = self.wording.place(*id);
            let (choice, shortener) = (&self.wording.choices[which], &self.shorteners[which]);
            let of = (campaign.account_id, &choice.template);
            addresses::add_preferences(self.ctx, of, Page::Own, &mut person);
            let links = shortener.links(u32::try_from(number).unwrap_or_default());
            let to = To {
                contact_id: *id,
                place: (!links.is_empty()).then_some(number),
                variant: choice.variant.as_ref().map(|variant| variant.ordinal),
            };
            items.push((to, message(campaign, &choice.template, person, &links)));
        }
        Ok((items, refusals))
    }

    async fn write(&self, chunk: &Chunk) -> Result<Written, DbErr> {
        let campaign = self.campaign;
        let key = (campaign.id, campaign.account_id);
        let written = self
            .ctx
            .db
            .write(|tx| async move {
                if !recipients::advance(&tx, campaign, chunk.advance).await? {
                    return Err(Abandoned::Elsewhere);
                }
                recipients::note_refusals(&tx, key, &chunk.refusals).await?;
                if !chunk.prepared.insert(&tx).await? {
                    return Err(Abandoned::Unaffordable);
                }
                Ok(())
            })
            .await;
        match written {
            Ok(()) => Ok(Written::Done),
            Err(Abandoned::Elsewhere) => Ok(Written::Elsewhere),
            Err(Abandoned::Unaffordable) => Ok(Written::Unaffordable),
            Err(Abandoned::Store(error)) => Err(error),
        }
    }
}

/// The message of a campaign to a contact, with these short links.
pub(super) fn message(
    campaign: &Model,
    template: &Template,
    person: contacts::Person,
    links: &[String],
) -> NewMessage {
    NewMessage {
        to: person.number,
        from: campaign.sender.clone(),
        text: template.render(&person.values, links),
        class: Some(campaign.class),
        client_reference: None,
        send_at: None,
        validity_period_seconds: None,
        topic: campaign.topic.clone(),
    }
}

/// How a campaign's messages are spread over time, from the recipient at a place on.
pub(super) fn timing(campaign: &Model, place: i64) -> Timing {
    let at_local = campaign.send_at_local.as_deref().and_then(LocalTime::parse);
    Timing { at_local: at_local.map(|it| it.0), rate_per_s: campaign.rate_per_s, place }
}

/// The code of a refusal as it is stored and shown.
fn code_of(code: ItemErrorCode) -> Result<String, Failed> {
    match serde_json::to_value(code).map_err(Failed::internal)? {
        serde_json::Value::String(code) => Ok(code),
        _ => Err(Failed::internal("a code that is no text")),
    }
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

impl Chunk {
    const fn len(&self) -> i64 {
        let Advance { accepted, suppressed, refused, .. } = self.advance;
        accepted + suppressed + refused
    }

    const fn place_behind(&self) -> Place {
        Place { after: Some(self.advance.last), expanded: self.advance.expanded + self.len() }
    }
}

/// Ends a transaction that must not be committed.
enum Abandoned {
    Elsewhere,
    Unaffordable,
    Store(DbErr),
}

impl From<DbErr> for Abandoned {
    fn from(error: DbErr) -> Self {
        Self::Store(error)
    }
}

impl TransactionError for Abandoned {
    fn store_error(&self) -> Option<&DbErr> {
        match self {
            Self::Store(error) => Some(error),
            Self::Elsewhere | Self::Unaffordable => None,
        }
    }
}
