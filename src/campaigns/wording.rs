//! What a campaign says to whom: its text, or the variant of it that a contact gets. Read when
//! messages are made, previewed and tried out, so that all three agree.

use std::collections::BTreeSet;

use entity::campaign::Model;
use entity::ids::ContactId;

use super::split::Split;
use super::template::Template;
use super::variants;
use crate::ctx::Ctx;
use crate::error::Failed;

/// What a campaign says.
pub(super) struct Wording {
    /// One text, or the variants in their order; never empty.
    pub(super) choices: Vec<Choice>,
    split: Split,
}

/// One of the texts of a campaign.
pub(super) struct Choice {
    /// Which variant it is, if it is one.
    pub(super) variant: Option<Variant>,
    pub(super) template: Template,
}

/// What a variant is called by.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    pub(super) ordinal: i16,
    pub(super) name: String,
}

impl Wording {
    /// Of a campaign.
    ///
    /// # Errors
    /// The store's own, or a stored text that is no template.
    pub(super) async fn of(ctx: &Ctx, campaign: &Model) -> Result<Self, Failed> {
        let (account_id, id) = (campaign.account_id, campaign.id);
        let rows = variants::of_campaigns(ctx.db.reader(), account_id, &[id]).await?;
        let began_with = campaign.split_from.unwrap_or(id);
        let split = Split::new(&ctx.master_key, began_with, rows.iter().map(|row| row.weight));
        let parse = |text: &str| Template::parse(text).map_err(Failed::internal);
        if rows.is_empty() {
            let choice = Choice { variant: None, template: parse(&campaign.template)? };
            return Ok(Self { choices: vec![choice], split });
        }
        let choice = |row: entity::campaign_variant::Model| {
            let template = parse(&row.template)?;
            let variant = Some(Variant { ordinal: row.ordinal, name: row.name });
            Ok(Choice { variant, template })
        };
        let choices = rows.into_iter().map(choice).collect::<Result<_, Failed>>()?;
        Ok(Self { choices, split })
    }

    /// The place among the choices of the one that a contact gets.
    pub(super) fn place(&self, contact_id: ContactId) -> usize {
        self.split.share(contact_id)
    }

    /// Its texts, in the order of the choices.
    pub(super) fn templates(&self) -> Vec<&Template> {
        self.choices.iter().map(|choice| &choice.template).collect()
    }

    /// The attributes that any of its texts names.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        self.choices.iter().flat_map(|it| it.template.keys()).map(str::to_owned).collect()
    }

    /// The variant of a name, or the first text where none is named; none if there is no such
    /// variant.
    pub(super) fn find(&self, name: Option<&str>) -> Option<&Choice> {
        match name {
            None => self.choices.first(),
            Some(name) => self.choices.iter().find(|it| it.name() == Some(name)),
        }
    }
}

impl Choice {
    /// The variant's name, if it is one.
    pub(super) fn name(&self) -> Option<&str> {
        self.variant.as_ref().map(|variant| variant.name.as_str())
    }
}
