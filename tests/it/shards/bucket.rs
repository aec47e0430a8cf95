//! Shards in a bucket.

use relexport::environment;
use relexport::snapshot::Spec;
use relexport::take::{check_place, put_shards};

use super::*;
use crate::bucket_sources::Bucket;

#[test]
fn shards_that_were_put_into_a_bucket_are_exported_from_there() {
    let (dir, bucket) = (Dir::new(), Bucket::start());
    let from = project(PROJECTS_BACKUP).display().to_string();
    let stage = dir.join("stage");
    let request = request(&from, stage.clone(), groups_and_projects());
    let shards = take(&request, 2).unwrap();
    // Nothing else in this process looks for a bucket's settings.
    let lent = environment::lend(bucket.variables().into());
    let url = |text: &str| match Spec::from(text) {
        Spec::Bucket(url) => url,
        other => panic!("{other:?} is no bucket"),
    };
    let place = url("s3://bucket/stages/monday");
    let never = AtomicBool::new(false);
    check_place(&place).unwrap();
    let bytes = put_shards(&stage, &place, &never).unwrap();
    let again = put_shards(&stage, &place, &never).unwrap_err().to_string();
    assert!(
        again.contains("s3://bucket/stages/monday is not empty"),
        "{again}"
    );
    assert!(check_place(&place).is_err());
    check_place(&url("s3://bucket/stages/mon")).unwrap();
    let nowhere = check_place(&url("s3://nowhere/stage")).unwrap_err();
    assert!(nowhere.to_string().contains("s3://nowhere"), "{nowhere}");
    drop(lent);
    let put = bucket.path("stages/monday");
    assert_eq!(files_below(&put), files_below(&stage));
    let sizes = files_below(&stage).into_iter();
    let sizes = sizes.map(|name| fs::metadata(stage.join(name)).unwrap().len());
    assert_eq!(bytes, sizes.sum::<u64>());
    for shard in &shards {
        let of_folder = export_of(&dir, stage.join(&shard.folder), shard, &shard.folder);
        let url = format!("s3://bucket/stages/monday/{}", shard.folder);
        let mut program = dir.export_to(url, dir.join(&format!("bucket-{}", shard.folder)));
        for (pipeline, option) in [("group", "--group"), ("project", "--project")] {
            for id in ids(shard, pipeline) {
                program = program.option(option, id);
            }
        }
        let run = bucket.with(program).ok();
        assert_same_files(&shard.folder, &run.packed(), &of_folder.packed());
        assert_eq!(entities(&run), entities(&of_folder));
    }
}
