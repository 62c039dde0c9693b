//! The work that is due on sessions, for whoever looks after the server.

use leptos::prelude::*;

use crate::format;
use crate::moment::Moment;
use crate::paths;
use crate::shell::{Section, Shell};
use crate::views::{JobRow, JobStanding, JobsView};

#[component]
pub fn JobsPage(view: JobsView) -> impl IntoView {
    let JobsView { jobs, more } = view;
    let stopped = jobs.iter().filter(|job| job.standing == JobStanding::Stopped).count();
    let list = if jobs.is_empty() {
        view! { <p>"Nothing is due: every recording is made."</p> }.into_any()
    } else {
        view! { <Rows jobs/> }.into_any()
    };
    view! {
        <Shell
            title="Work"
            description="What the server has still to do."
            section=Section::Elsewhere
            style_sheet="/assets/style/recordings.css"
        >
            <p class="back"><a href=paths::HISTORY>"All recordings"</a></p>
            <h1>"Work"</h1>
            <p>
                "Making recordings and their exports, drawing and mixing their sound, letting chunks go \
                 that are in their files, and erasing what was thrown away. It goes on by itself, after \
                 a restart too."
            </p>
            {(stopped > 0)
                .then(|| view! {
                    <div class="callout callout-bad">
                        <p>
                            {format::count(stopped as u64, "job was", "jobs were")}
                            " given up. Nothing is lost: of a recording that is not made all chunks \
                             are kept, and one that cannot be drawn, mixed or exported can be played all \
                             the same. Each can be tried once more."
                        </p>
                    </div>
                })}
            {list}
            {more.then(|| view! { <p>"There are more than are shown here."</p> })}
        </Shell>
    }
}

#[component]
fn Rows(jobs: Vec<JobRow>) -> impl IntoView {
    view! {
        <table class="rows" role="table">
            <caption class="unseen">"Work that is due"</caption>
            <thead role="rowgroup">
                <tr role="row">
                    <th role="columnheader" scope="col">"Recording"</th>
                    <th role="columnheader" scope="col">"What"</th>
                    <th role="columnheader" scope="col">"State"</th>
                    <th role="columnheader" scope="col" class="number">"Tries"</th>
                    <th role="columnheader" scope="col">"Last trouble"</th>
                </tr>
            </thead>
            <tbody role="rowgroup">
                {jobs.into_iter().map(|job| view! { <Row job/> }).collect_view()}
            </tbody>
        </table>
    }
}

#[component]
fn Row(job: JobRow) -> impl IntoView {
    let (standing, class) = match job.standing {
        JobStanding::Waiting => ("Waiting", ""),
        JobStanding::Running => ("Running", ""),
        JobStanding::Stopped => ("Given up", "lost"),
    };
    let retry = (job.standing == JobStanding::Stopped).then(|| {
        view! {
            <form method="post" action=paths::retry(&job.id)>
                <button class="button-small" type="submit">"Try again"</button>
            </form>
        }
    });
    view! {
        <tr role="row">
            <th role="rowheader" scope="row">
                <a href=paths::session(job.session)>{job.session.to_string()}</a>
            </th>
            <td role="cell" data-label="What">{job.what}</td>
            <td role="cell" data-label="State">
                <span class=class>{standing}</span>
                {job.begins.map(|at| view! { " · "<Moment at/> })}
                {job.progress.map(|done| format!(" · {} %", done / 10))}
                {retry}
            </td>
            <td role="cell" class="number" data-label="Tries">{job.tries}</td>
            <td role="cell" class="whole-row" data-label="Last trouble">{job.error.unwrap_or_else(|| "–".to_owned())}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rendering::{html, instant, session_id, text};

    #[test]
    fn a_job_says_when_it_begins_or_how_far_it_is_and_what_stands_in_its_way() {
        let row = |standing| JobRow {
            id: "one.mix".to_owned(),
            session: session_id(1),
            what: "Draw the sound",
            standing,
            begins: None,
            progress: None,
            tries: 2,
            error: None,
        };
        let jobs = vec![
            JobRow { error: Some("it broke off".into()), ..row(JobStanding::Stopped) },
            JobRow { progress: Some(437), ..row(JobStanding::Running) },
            JobRow { begins: Some(instant(9)), ..row(JobStanding::Waiting) },
        ];
        let page = html(|| view! { <JobsPage view=JobsView { jobs, more: false }/> });
        let retry = "<form method=\"post\" action=\"/jobs/one.mix/retry\"";
        assert_eq!(page.matches(retry).count(), 1, "only what was given up: {page}");
        let page = text(&page);
        for told in [
            "1 job was given up",
            "Draw the sound Given up Try again 2 it broke off",
            "Running · 43 % 2 –",
            "Waiting · 14 Nov 2026, 09:30 UTC 2 –",
        ] {
            assert!(page.contains(told), "{told}: {page}");
        }
    }
}
