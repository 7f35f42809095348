output "stream_name" {
  description = "DELIVERY_STREAM of the pipeline"
  value       = aws_kinesis_firehose_delivery_stream.logs.name
}

output "bucket_name" {
  value = aws_s3_bucket.logs.id
}

output "node_role_arn" {
  description = "With IRSA, the annotation of the service account"
  value       = aws_iam_role.node.arn
}
