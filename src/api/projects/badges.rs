//! A project's badges.

use axum::extract::{OriginalUri, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::api::access::RequestedProject;
use crate::api::app::reading;
use crate::api::badge::BadgeEntity;
use crate::api::directory::{Badge, Directory, Project};
use crate::api::errors::ApiError;
use crate::api::paging::Page;
use crate::api::params::Params;
use crate::api::{App, address};

/// `GET /projects/:id/badges`: the project's own, and those of the groups above it, as GitLab lists them.
pub(crate) async fn badges(
    State(app): State<App>,
    project: RequestedProject,
    RawQuery(query): RawQuery,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let params = Params::of_query(query.as_deref())?;
    let page = Page::of(&params)?;
    let wanted = params.text("name")?.filter(|name| !name.is_empty());
    let read = reading(&app, move |directory| {
        let mut badges = find(directory, &project.0)?;
        badges.retain(|(badge, _)| wanted.is_none() || badge.name == wanted);
        let total = badges.len();
        let rows = page.cut(badges).into_iter();
        let rows = rows.map(|(badge, kind)| entity(&project.0, badge, kind));
        Ok((rows.collect::<Vec<BadgeEntity>>(), total))
    });
    let (rows, total) = read.await?;
    let address = address::of(&app, &headers, &uri);
    Ok(page.answer(&rows, total, &address, &params))
}

/// The badges, each with its kind, in order of their ids.
fn find(directory: &Directory, project: &Project) -> std::io::Result<Vec<(Badge, &'static str)>> {
    let own = directory.project_details(project.id)?.badges;
    let mut badges: Vec<_> = own.into_iter().map(|badge| (badge, "project")).collect();
    let group = project
        .group_id
        .map(|group| directory.with_ancestors(group));
    for group in group.unwrap_or_default() {
        let above = directory.details(group.id)?.badges;
        badges.extend(above.into_iter().map(|badge| (badge, "group")));
    }
    badges.sort_by_key(|(badge, _)| badge.id);
    Ok(badges)
}

fn entity(project: &Project, badge: Badge, kind: &'static str) -> BadgeEntity {
    let rendered = |url: &Option<String>| url.as_deref().map(|url| rendered(url, project));
    let link_url = rendered(&badge.link_url);
    let image_url = rendered(&badge.image_url);
    BadgeEntity::new(badge, kind, link_url, image_url)
}

/// The address with what is known of the project in place of placeholders. The others, which are about its repository or the
/// instance, stay as they are.
fn rendered(url: &str, project: &Project) -> String {
    let id = project.id.to_string();
    let known = [
        ("project_path", project.full_path.as_str()),
        ("project_title", project.name.as_str()),
        ("project_name", project.path()),
        ("project_id", id.as_str()),
    ];
    let mut text = String::new();
    let mut rest = url;
    while let Some(at) = rest.find("%{") {
        let (before, behind) = rest.split_at(at);
        text.push_str(before);
        let found = known.iter().find_map(|(name, value)| {
            let rest = behind[2..].strip_prefix(name)?.strip_prefix('}')?;
            Some((*value, rest))
        });
        let (value, behind) = found.unwrap_or_else(|| (&behind[..2], &behind[2..]));
        text.push_str(value);
        rest = behind;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_that_are_known_are_filled_in_once() {
        let project = Project {
            id: 71,
            group_id: None,
            full_path: "acme/app".to_owned(),
            name: "%{project_id}".to_owned(),
            visibility_level: None,
            archived: false,
            is_marked_for_deletion: false,
            star_count: 0,
            updated_at: 0,
            last_activity_at: 0,
        };
        for (url, expected) in [
            ("", ""),
            ("%{project_path}", "acme/app"),
            ("a%{project_name}b%{project_id}%", "aappb71%"),
            // What comes out is not looked at again.
            ("%{project_title}", "%{project_id}"),
            (
                "%{default_branch}/%{%{project_id}",
                "%{default_branch}/%{71",
            ),
            ("%{project_idx} %{", "%{project_idx} %{"),
        ] {
            assert_eq!(rendered(url, &project), expected, "{url}");
        }
    }
}
