unit_test(config shared)
unit_test(json shared)
unit_test(json_normalise shared)
unit_test(signature wire)
