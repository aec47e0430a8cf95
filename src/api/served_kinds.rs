//! The kinds of entity that are served, each with its pipeline.

use crate::pipeline::Pipeline;
use crate::resolve::{Choice, KindChoice};
use crate::snapshot::{Routing, TwoDatabases};

/// The pipelines of what is served.
#[derive(Clone)]
pub(crate) struct ServedKinds {
    group: Pipeline,
    project: Option<Pipeline>,
    routing: Routing,
}

/// Why pipelines cannot be served together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServedKindsError {
    #[error(
        "cannot serve pipelines {names}: a server has one kind of groups, and at most one of what lies within them\n  \
         name fewer with --pipeline, and export the others with `relexport export`"
    )]
    TooMany { names: String },
    #[error("cannot serve pipelines {names} together: {source}\n  say the same in both")]
    Databases { names: String, source: TwoDatabases },
}

impl ServedKinds {
    /// What is served by these pipelines, which stand behind what their entities lie within.
    ///
    /// # Errors
    /// If they are not one whose entities lie within nothing, and perhaps one whose entities lie within those; or if they
    /// contradict each other in what they say of databases.
    pub(crate) fn new(pipelines: Vec<Pipeline>) -> Result<ServedKinds, ServedKindsError> {
        let names: Vec<String> = pipelines.iter().map(|it| it.name.clone()).collect();
        let names = names.join(", ");
        let mut rest = pipelines.into_iter();
        let (Some(group), project, None) = (rest.next(), rest.next(), rest.next()) else {
            return Err(ServedKindsError::TooMany { names });
        };
        let lies_within = |pipeline: &Pipeline| pipeline.entity.within.is_some();
        if lies_within(&group) || project.as_ref().is_some_and(|it| !lies_within(it)) {
            return Err(ServedKindsError::TooMany { names });
        }
        let mut routing = group.databases.clone();
        if let Some(project) = &project {
            let merged = routing.merge(&project.databases);
            merged.map_err(|source| ServedKindsError::Databases { names, source })?;
        }
        Ok(ServedKinds {
            group,
            project,
            routing,
        })
    }

    /// The pipeline of groups.
    pub(crate) fn group(&self) -> &Pipeline {
        &self.group
    }

    /// The pipeline of projects; `None` if they are not served.
    pub(crate) fn project(&self) -> Option<&Pipeline> {
        self.project.as_ref()
    }

    /// All of them, one behind that which its entities lie within.
    pub(crate) fn pipelines(&self) -> Vec<&Pipeline> {
        [&self.group].into_iter().chain(&self.project).collect()
    }

    /// In which databases their tables are.
    pub(crate) fn routing(&self) -> &Routing {
        &self.routing
    }

    /// The kinds of a run of these groups and projects. Groups are a kind of it even if there are none, since projects lie
    /// within them; projects only if there are some.
    pub(crate) fn choices(&self, groups: &[i64], projects: &[i64]) -> Vec<KindChoice> {
        let named = |pipeline: &Pipeline, ids: &[i64]| KindChoice {
            pipeline: pipeline.clone(),
            choice: Choice::Named {
                names: ids.iter().map(i64::to_string).collect(),
                descendants: false,
            },
        };
        let mut kinds = vec![named(&self.group, groups)];
        if let Some(pipeline) = self.project.as_ref().filter(|_| !projects.is_empty()) {
            kinds.push(named(pipeline, projects));
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builtin(name: &str) -> Pipeline {
        Pipeline::builtin_named(name).unwrap()
    }

    #[test]
    fn a_server_has_groups_and_perhaps_projects() {
        let serves = |names: &[&str]| {
            let pipelines = names.iter().map(|name| builtin(name));
            ServedKinds::new(pipelines.collect()).is_ok()
        };
        assert!(serves(&["group"]));
        assert!(serves(&["group", "project"]));
        assert!(!serves(&[]));
        assert!(!serves(&["project"]));
        assert!(!serves(&["group", "group"]));
        assert!(!serves(&["group", "project", "project"]));
    }

    #[test]
    fn a_run_has_a_kind_of_projects_only_if_there_are_some() {
        let kinds = ServedKinds::new(vec![builtin("group"), builtin("project")]).unwrap();
        let shown = |groups: &[i64], projects: &[i64]| -> Vec<String> {
            let choices = kinds.choices(groups, projects).into_iter();
            let shown = choices.map(|kind| match kind.choice {
                Choice::Named { names, .. } => {
                    format!("{} {}", kind.pipeline.name, names.join(","))
                }
                other => format!("{other:?}"),
            });
            shown.collect()
        };
        assert_eq!(shown(&[7, 8], &[]), ["group 7,8"]);
        assert_eq!(shown(&[], &[7]), ["group ", "project 7"]);
    }
}
