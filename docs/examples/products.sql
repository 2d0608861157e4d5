SELECT product_id, name, price
FROM products
WHERE is_listed
