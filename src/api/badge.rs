//! A badge as GitLab's API shows it.

use serde::Serialize;

use super::directory::Badge;

/// A badge of a group or a project.
#[derive(Serialize)]
pub(crate) struct BadgeEntity {
    name: Option<String>,
    link_url: Option<String>,
    image_url: Option<String>,
    rendered_link_url: Option<String>,
    rendered_image_url: Option<String>,
    id: i64,
    kind: &'static str,
}

impl BadgeEntity {
    /// A badge of a `group` or a `project`, with its addresses as they are for what shows it.
    pub(crate) fn new(
        badge: Badge,
        kind: &'static str,
        rendered_link_url: Option<String>,
        rendered_image_url: Option<String>,
    ) -> BadgeEntity {
        BadgeEntity {
            name: badge.name,
            link_url: badge.link_url,
            image_url: badge.image_url,
            rendered_link_url,
            rendered_image_url,
            id: badge.id,
            kind,
        }
    }
}
