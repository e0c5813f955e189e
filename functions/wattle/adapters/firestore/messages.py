"""The protocol buffer classes of google.firestore.v1, without their proto-plus wrappers.

google-cloud-firestore publishes no plain classes; each wrapper carries its own as `meta.pb`.
"""

from typing import Any

from google.cloud.firestore_v1.types import aggregation_result, common, document, firestore, query, write

Value: Any = document.Value.meta.pb
DocumentMessage: Any = document.Document.meta.pb
DocumentMask: Any = common.DocumentMask.meta.pb
Precondition: Any = common.Precondition.meta.pb
TransactionOptions: Any = common.TransactionOptions.meta.pb
StructuredQuery: Any = query.StructuredQuery.meta.pb
StructuredAggregationQuery: Any = query.StructuredAggregationQuery.meta.pb
Cursor: Any = query.Cursor.meta.pb
WriteMessage: Any = write.Write.meta.pb
FieldTransform: Any = write.DocumentTransform.FieldTransform.meta.pb
AggregationResult: Any = aggregation_result.AggregationResult.meta.pb

GetDocumentRequest: Any = firestore.GetDocumentRequest.meta.pb
BatchGetDocumentsRequest: Any = firestore.BatchGetDocumentsRequest.meta.pb
BatchGetDocumentsResponse: Any = firestore.BatchGetDocumentsResponse.meta.pb
RunQueryRequest: Any = firestore.RunQueryRequest.meta.pb
RunQueryResponse: Any = firestore.RunQueryResponse.meta.pb
RunAggregationQueryRequest: Any = firestore.RunAggregationQueryRequest.meta.pb
RunAggregationQueryResponse: Any = firestore.RunAggregationQueryResponse.meta.pb
BeginTransactionRequest: Any = firestore.BeginTransactionRequest.meta.pb
BeginTransactionResponse: Any = firestore.BeginTransactionResponse.meta.pb
CommitRequest: Any = firestore.CommitRequest.meta.pb
CommitResponse: Any = firestore.CommitResponse.meta.pb
RollbackRequest: Any = firestore.RollbackRequest.meta.pb
