variable "stream_name" {
  description = "Name of the delivery stream, DELIVERY_STREAM of the pipeline"
  type        = string
  default     = "nodesieve"
}

variable "cluster_name" {
  description = "The EKS cluster whose nodes deliver"
  type        = string
}

variable "identity" {
  description = "How the pods become the role: pod-identity or irsa"
  type        = string
  default     = "pod-identity"
  validation {
    condition     = contains(["pod-identity", "irsa"], var.identity)
    error_message = "identity is pod-identity or irsa."
  }
}

variable "oidc_provider" {
  description = "For IRSA, the cluster's OIDC issuer without https://"
  type        = string
  default     = ""
}

variable "namespace" {
  type    = string
  default = "nodesieve"
}

variable "service_account" {
  type    = string
  default = "nodesieve"
}

variable "keep_days" {
  description = "For how many days objects are kept"
  type        = number
  default     = 90
}

variable "buffer_mib" {
  description = "An object has so much at most, before compression"
  type        = number
  default     = 64
}

variable "buffer_seconds" {
  description = "And a line waits so long at most"
  type        = number
  default     = 300
}
