//! conf/aws: both descriptions of the stream are sound and say the same, and a real Fluent Bit delivers through what they describe.

use crate::fluent_bit::{compare_at, program};
use crate::moto::{BUCKET, Moto};
use crate::support;
use host_test::compare::ORDER_INDEPENDENT;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn template_path() -> PathBuf {
    support::conf().join("aws/cloudformation.yaml")
}

fn template() -> Value {
    yaml_serde::from_str(&fs::read_to_string(template_path()).unwrap()).unwrap()
}

fn terraform() -> String {
    let directory = support::conf().join("aws/terraform");
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "tf"));
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// The properties of the template's only resource of a type.
fn properties<'t>(template: &'t Value, kind: &str) -> Vec<&'t Value> {
    let resources = template["Resources"].as_object().unwrap().values();
    resources.filter(|resource| resource["Type"] == kind).map(|resource| &resource["Properties"]).collect()
}

#[test]
fn the_template_is_what_its_own_checker_wants() {
    let Ok(output) = Command::new("cfn-lint").arg(template_path()).output() else {
        return support::skip("cfn-lint", "no cfn-lint");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_modules_are_formatted() {
    let directory = support::conf().join("aws/terraform");
    let Ok(output) = Command::new("terraform").args(["fmt", "-check", "-recursive"]).arg(directory).output()
    else {
        return support::skip("terraform", "no terraform");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Guarantees: nobody may do more than hand over batches to this stream, and Firehose no more than write into this bucket.
#[test]
fn each_role_may_do_what_it_has_to_and_both_files_say_the_same() {
    let (template, terraform) = (template(), terraform());
    let mut actions = BTreeSet::new();
    for role in properties(&template, "AWS::IAM::Role") {
        for policy in role["Policies"].as_array().unwrap() {
            for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
                let action = &statement["Action"];
                let each = action.as_array().cloned().unwrap_or_else(|| vec![action.clone()]);
                actions.extend(each.iter().map(|action| action.as_str().unwrap().to_owned()));
                assert!(!statement["Resource"].to_string().contains("\"*\""), "{statement}");
            }
        }
    }
    let expected = [
        "firehose:PutRecordBatch",
        "logs:PutLogEvents",
        "s3:AbortMultipartUpload",
        "s3:GetBucketLocation",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:PutObject",
    ];
    assert_eq!(actions, expected.map(str::to_owned).into());
    let in_terraform: BTreeSet<String> = terraform
        .split('"')
        .filter(|text| ["firehose:", "logs:", "s3:"].iter().any(|service| text.starts_with(service)))
        .map(str::to_owned)
        .collect();
    assert_eq!(in_terraform, actions);
    let [stream] = properties(&template, "AWS::KinesisFirehose::DeliveryStream")[..] else {
        panic!("one stream")
    };
    let destination = &stream["ExtendedS3DestinationConfiguration"];
    for key in ["Prefix", "ErrorOutputPrefix", "CompressionFormat"] {
        let value = destination[key].as_str().unwrap();
        assert!(terraform.contains(&format!("\"{value}\"")), "{key}: {value}");
    }
    for alarm in properties(&template, "AWS::CloudWatch::Alarm") {
        for key in ["MetricName", "AlarmDescription", "Statistic", "ComparisonOperator", "TreatMissingData"] {
            let value = alarm[key].as_str().unwrap();
            assert!(terraform.contains(&format!("= \"{value}\"")), "{value}");
        }
        assert!(terraform.contains(&format!("= {}\n", alarm["Threshold"])));
    }
    // Each parameter with its default.
    let snake = |name: &str| {
        name.replace("MiB", "Mib").chars().fold(String::new(), |mut out, one| {
            if one.is_uppercase() && !out.is_empty() {
                out.push('_');
            }
            out.push(one.to_ascii_lowercase());
            out
        })
    };
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        let (_, block) = terraform
            .split_once(&format!("variable \"{}\" {{", snake(name)))
            .unwrap_or_else(|| panic!("{name}"));
        let block = block.split("\n}").next().unwrap();
        match parameter.get("Default") {
            Some(default) => assert!(
                block.contains(&format!("= {default}\n")) || block.ends_with(&format!("= {default}")),
                "{name}: {block}"
            ),
            None => assert!(!block.contains("default"), "{name}"),
        }
    }
    // The pipeline's own names.
    let kustomization = fs::read_to_string(support::conf().join("kustomization.yaml")).unwrap();
    assert!(kustomization.contains(&format!(
        "DELIVERY_STREAM={}",
        template["Parameters"]["StreamName"]["Default"].as_str().unwrap()
    )));
}

/// Parameters by their defaults, and what only AWS knows by a name.
fn resolved(value: &Value, parameters: &Map<String, Value>) -> Value {
    match value {
        Value::Object(map) => match (map.get("Ref"), map.get("Fn::GetAtt")) {
            (Some(name), _) => {
                let name = name.as_str().unwrap();
                parameters.get(name).map_or_else(|| json!(name), |parameter| parameter["Default"].clone())
            }
            (_, Some(path)) if path[0] == "Bucket" => json!(BUCKET),
            (_, Some(path)) => json!(format!("arn:aws:iam::123456789012:role/{}", path[0].as_str().unwrap())),
            (None, None) => {
                map.iter().map(|(key, value)| (key.clone(), resolved(value, parameters))).collect()
            }
        },
        other => other.clone(),
    }
}

/// Scenario: a stream with the template's own properties at moto, which is not ours; the shipped pipeline delivers the samples to it.
/// Guarantees: the objects below the template's prefix have exactly the kept lines.
#[test]
fn a_stream_as_the_template_has_it_takes_what_fluent_bit_delivers() {
    let Some(program) = program() else { return };
    if !Moto::is_installed() {
        return;
    }
    let template = template();
    let [stream] = properties(&template, "AWS::KinesisFirehose::DeliveryStream")[..] else {
        panic!("one stream")
    };
    let parameters = template["Parameters"].as_object().unwrap();
    let destination = resolved(&stream["ExtendedS3DestinationConfiguration"], parameters);
    assert_eq!(destination["BucketARN"], BUCKET);
    let with = || Some(Moto::with(&destination));
    let difference = compare_at(&program, None, "fluent-bit.yaml", ORDER_INDEPENDENT, &[], with);
    assert!(difference.exact && difference.is_well(), "{difference:#?}");
    assert!(difference.delivered > 1000, "{difference:#?}");
}

#[test]
fn what_the_head_of_the_template_says_is_there() {
    let text = fs::read_to_string(template_path()).unwrap();
    assert!(text.contains("--template-file conf/aws/cloudformation.yaml"));
    let template = template();
    let parameters = template["Parameters"].as_object().unwrap();
    let head: String = text.lines().take_while(|line| line.starts_with('#')).collect();
    for word in head.split([' ', '`', '#']).filter_map(|word| word.split_once('=')).map(|(name, _)| name) {
        assert!(parameters.contains_key(word), "{word}");
    }
    assert!(Path::new(&support::conf().join("aws/terraform")).is_dir());
}
