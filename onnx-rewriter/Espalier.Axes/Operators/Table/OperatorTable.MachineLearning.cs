namespace Espalier.Axes.Operators.Table;

// Operators of ai.onnx.ml (https://onnx.ai/onnx/operators/, operators-ml): pipelines in front of networks and behind them.
// ONNX infers no shapes for most of them. Their weights are attributes and no tensors: they stay as they are, so that what they
// are for stays too. They are no parameters; what is multiplied with them is counted.
internal static partial class OperatorTable
{
    /// <summary>The domain of pipelines.</summary>
    public const string MachineLearningDomain = "ai.onnx.ml";

    private const string MachineLearning = """
        # element by element; a map has no axes, and what is made of one has a row
        Binarizer | ... -> ... | zero:first
        CategoryMapper | ... -> ...
        LabelEncoder | ... -> ...
        OneHotEncoder | ... -> ... k | count:k=cats_int64s/cats_strings
        CastMap | _ -> 1 k | when:map_form=SPARSE:DENSE const:k=max_map:1
        CastMap | _ -> 1 k
        DictVectorizer | _ -> 1 k | count:k=string_vocabulary/int64_vocabulary

        # rows of features, or one of them as a vector; norms of zeros are zero, and a row of zeros stays as it is
        Normalizer | n c -> n c | when:norm=L1/L2:MAX sum:c=0 zero:first
        Normalizer | c -> c | when:norm=L1/L2:MAX sum:c=0 zero:first
        Normalizer | n c -> n c | norm:c zero:first
        Normalizer | c -> c | norm:c zero:first

        # models (trees take no vectors); LinearClassifier and SVMClassifier are code, because several lists say how many scores they give
        LinearRegressor | n c -> n e | const:e=targets:1 held:c macs:n,c,e
        LinearRegressor | c -> 1 e | const:e=targets:1 held:c macs:c,e
        SVMRegressor | n c -> n 1 | when:n_supports=0 held:c macs:n,c
        SVMRegressor | c -> 1 1 | when:n_supports=0 held:c macs:c
        SVMRegressor | n c -> n 1 | const:v=n_supports held:c macs:n,v,c macs:n,v
        SVMRegressor | c -> 1 1 | const:v=n_supports held:c macs:v,c macs:v
        TreeEnsembleClassifier | n c -> n, n e | count:e=classlabels_int64s/classlabels_strings held:c
        TreeEnsembleRegressor | n c -> n e | const:e=n_targets held:c
        TreeEnsemble | n c -> n e | const:e=n_targets held:c
        """;
}
